"""Damage to nested values: any node of them taken away, replaced by something else, or cut off."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

Path = tuple[Any, ...]
PLAIN: list[Any] = [
    None,
    True,
    -1,
    0,
    7,
    2**70,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "2.6.0",
    [],
    [1],
    {},
    {"a": 1},
]
TENSORS = [
    torch.zeros(2),
    torch.tensor(1),
    torch.zeros(3).to_sparse(),
    torch.empty(3, device="meta"),
    torch.zeros(2, dtype=torch.complex64),
    torch.zeros(0),
]


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where each node of a nested value is, without the value as a whole."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, each in entries:
        yield (*path, name)
        yield from nodes(each, (*path, name))


def changed(value: Any, path: Path, new: Any, *, delete: bool = False) -> Any:
    """A copy of a nested value with another node at a path, or without it."""
    if not path:
        return new
    made = copy.copy(value) if isinstance(value, dict) else list(value)
    if delete and len(path) == 1:
        del made[path[0]]
    else:
        inner = made[path[0]] if len(path) > 1 else None
        made[path[0]] = changed(inner, path[1:], new, delete=delete)
    return made


def at(value: Any, path: Path) -> Any:
    """The node at a path."""
    for name in path:
        value = value[name]
    return value


def half(value: Any) -> Any:
    """The first half of something that has a length."""
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    if isinstance(value, Tensor) and value.ndim:
        return value[: len(value) // 2].clone()
    return value[: len(value) // 2] if isinstance(value, str | list | tuple) else None


def damaged(whole: Any, *, tensors: bool = False) -> st.SearchStrategy[Any]:
    """Copies of a nested value with one node, or the whole, deleted, retyped or cut off.

    Args:
        whole: The undamaged value.
        tensors: Whether tensors of all kinds may take a node's place.
    """
    by_depth: dict[int, list[Path]] = {}
    for path in nodes(whole):  # each depth alike: a file has far more leaves than branches
        by_depth.setdefault(len(path), []).append(path)
    places = st.sampled_from(list(by_depth.values())).flatmap(st.sampled_from)
    replacements = st.sampled_from(PLAIN + TENSORS if tensors else PLAIN)
    deleted = places.map(lambda path: changed(whole, path, None, delete=True))
    retyped = st.tuples(places, replacements).map(lambda pair: changed(whole, *pair))
    cut = places.map(lambda path: changed(whole, path, half(at(whole, path))))
    return st.one_of(deleted, retyped, cut, replacements)


def json_files(whole: Any) -> st.SearchStrategy[bytes]:
    """Damaged contents of a JSON file that should hold a nested value."""
    content = json.dumps(whole).encode()
    odd = [b"", b"\x00", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000, b"NaN", b'{"rounds": ' + b"9" * 5_000 + b"}"]
    cut = st.integers(0, len(content) - 1).map(lambda end: content[:end])
    return st.one_of(damaged(whole).map(lambda value: json.dumps(value).encode()), cut, st.sampled_from(odd))
