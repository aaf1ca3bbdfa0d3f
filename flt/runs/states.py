"""What the remembered state of a run's parts must look like: plain values and tensors."""

from typing import Any

import torch
from torch import Tensor

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
