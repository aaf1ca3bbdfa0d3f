"""What the remembered state of a run's parts must look like: plain values and tensors."""

import io
import pickle
from typing import Any

import numpy
import torch
from torch import Tensor

from flt.errors import InputError
from flt.runs.schema import Kind, Mismatch, count, fields, is_number, joined, leaf, list_of, text, truth

ROWS = "rows by client id"
"""What a checkpoint calls the rows of a memory with one for each client."""


def _is_dense(value: Any) -> bool:
    if not isinstance(value, Tensor) or value.is_meta or value.layout is not torch.strided or value.is_quantized:
        return False
    return not value.is_complex()


dense = leaf("a dense tensor of real numbers", _is_dense)


def state(value: Any, place: str) -> None:
    """The kind of what a part of a run remembers: plain values and dense tensors, in lists and mappings of any keys."""
    if isinstance(value, dict):
        for name, each in value.items():
            state(each, joined(place, name))
    elif isinstance(value, list | tuple):
        list_of(state)(value, place)
    elif isinstance(value, Tensor):
        dense(value, place)


def times_changed(tensor: Tensor) -> int:
    """How often a tensor was changed in place; 0 of those that do not count it."""
    return 0 if tensor.is_inference() else tensor._version


def as_plain(value: Any) -> Any:
    """A state with plain numbers and text in place of what derives from them, such as NumPy's; all else as it is.

    A checkpoint that holds others is written and cannot be read again.

    Example:
        >>> import numpy
        >>> as_plain({"radius": numpy.float64(0.5), "counts": [numpy.int64(3)]})
        {'radius': 0.5, 'counts': [3]}
    """
    if type(value) is dict:
        return {as_plain(name): as_plain(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(as_plain, value))
    if isinstance(value, numpy.generic):
        value = value.item()
    for kind, plain in ((bool, bool), (int, int), (float, float), (str, str.__str__)):
        if isinstance(value, kind):
            return plain(value)
    return value


def check_readable(value: Any, place: str) -> None:
    """Raises an `InputError` where a state holds what a checkpoint cannot be read with.

    Args:
        value: The state.
        place: Whose it is, such as ``"MyCallback.state_dict"``.
    """
    if isinstance(value, dict | list | tuple):
        for each in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
            check_readable(each, place)
    elif not isinstance(value, Tensor) and type(value) not in (str, int, float, bool, type(None)):
        written = io.BytesIO()
        torch.save(value, written)
        written.seek(0)
        try:
            torch.load(written, weights_only=True)
        except pickle.UnpicklingError as error:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise InputError(
                f"{place} holds a {kind}, with which no checkpoint can be read again: keep tensors, numbers, text,"
                " lists and dictionaries"
            ) from error


def memory(value: Any, place: str) -> None:
    """The kind of a plug-in's memory: what a `state` may be, with rows by client id beside which clients have one."""
    state(value, place)
    if isinstance(value, dict):
        for name, each in value.items():
            text(name, f"a key of {place}")
            memory(each, joined(place, name))
        if value.keys() == {ROWS, "is_known"}:
            known = value["is_known"]
            is_matching = all(isinstance(each, Tensor) and each.ndim for each in value.values())
            if not is_matching or known.dtype != torch.bool or known.shape != value[ROWS].shape[:1]:
                raise Mismatch(f"{place} is not a row for each client")
    elif isinstance(value, list):
        list_of(memory)(value, place)
    elif not isinstance(value, Tensor | str | int | float | None):
        raise Mismatch(f"{place} is a {type(value).__name__}, not a number, a text or a tensor")


def like(example: Any, *, complete: bool = True) -> Kind:
    """The kind of values that are built as an example is.

    Null in the example stands for anything, and an empty list or mapping for any other.

    Args:
        example: What the values should resemble.
        complete: Whether they must have all entries of the example's mappings, and counts where it has whole numbers;
            otherwise numbers, among them tensors of a single one, stand for each other.
    """
    if isinstance(example, dict):
        kinds = {name: like(each, complete=complete) for name, each in example.items()}
        return fields(kinds) if complete else fields({}, kinds)
    if isinstance(example, bool):
        return truth
    if isinstance(example, int) and complete:
        return count
    if isinstance(example, int | float) or _is_scalar(example):
        return leaf("a number", lambda value: is_number(value) or _is_scalar(value))
    kinds_of = {str: text, list: list_of(state), tuple: list_of(state), Tensor: dense}
    return next((kind for own, kind in kinds_of.items() if isinstance(example, own)), state)


def _is_scalar(value: Any) -> bool:
    return _is_dense(value) and value.numel() == 1
