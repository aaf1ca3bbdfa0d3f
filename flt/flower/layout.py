"""A model's arrays as Flower sends them, and the vectors that rules see."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from flwr.app import Array, ArrayRecord
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from flt.clients.batch_norm import statistics_moved
from flt.errors import InputError
from flt.functional.layout import Piece, layout_of

STATISTICS = ("running_mean", "running_var")
"""Last words of the names of batch normalisation's running statistics."""


Replies = Literal["weights", "updates"]
"""Whether clients send what training has made of the model, or by how much it has changed it."""


class Unusable(Exception):
    """A reply that cannot be used; the message says why."""


@dataclass(frozen=True)
class Layout:
    """Which of a model's arrays are parameters, which are running statistics, and which stay as the server has them.

    Floating-point arrays are parameters, which clients train; those whose names end in ``running_mean`` or
    ``running_var`` are statistics of batch normalisation, which follow the rule's judgement. Integers (counters of
    batches, say), booleans and ``fixed`` arrays stay what the server sent, whatever comes back.

    Args:
        values: The arrays that the server has sent, by name.
        fixed: Names of floating-point arrays that nobody trains: frozen parameters, buffers.
        replies: Whether clients send "weights" or "updates".
        parameters: Where each parameter lies in an update.
        statistics: Where each of the statistics lies in theirs.
    """

    values: Mapping[str, NDArray[np.generic]]
    fixed: frozenset[str]
    replies: Replies
    parameters: tuple[Piece, ...]
    statistics: tuple[Piece, ...]

    @classmethod
    def of(cls, arrays: ArrayRecord, fixed: Collection[str] = (), replies: Replies = "weights") -> Layout:
        """The layout of what the server sends.

        Raises:
            InputError: If nothing in it can be trained, if it holds complex numbers, or if it has no array of a name in
                ``fixed``.
        """
        values = {name: array.numpy() for name, array in arrays.items()}
        unknown = sorted(set(fixed) - values.keys())
        if unknown:
            raise InputError(f"fixed={unknown}: the model has no such array; it has {', '.join(list(values)[:8])}, ...")
        for name, value in values.items():
            if value.dtype.kind not in "fiub":
                raise InputError(f"the array {name} is of dtype {value.dtype}: send floating-point numbers or integers")
        trained = {name: value.shape for name, value in values.items() if value.dtype.kind == "f" and name not in fixed}
        statistics = {name: shape for name, shape in trained.items() if name.split(".")[-1] in STATISTICS}
        parameters = {name: shape for name, shape in trained.items() if name not in statistics}
        if not parameters:
            raise InputError("the initial arrays hold nothing to train: give initial_arrays of floating-point numbers")
        return cls(values, frozenset(fixed), replies, layout_of(parameters), layout_of(statistics))

    @property
    def num_params(self) -> int:
        """Length of an update."""
        return int(self.parameters[-1].place.stop)

    @property
    def num_statistics(self) -> int:
        """How many numbers the statistics of batch normalisation are."""
        return int(self.statistics[-1].place.stop) if self.statistics else 0

    @cached_property
    def vector(self) -> Tensor:
        """The parameters that the server has sent, float32 of shape ``[num_params]``."""
        vector = np.empty(self.num_params, np.float32)
        for piece in self.parameters:
            vector[piece.place] = self.values[piece.name].ravel()
        return torch.from_numpy(vector)

    def read(self, arrays: ArrayRecord, update: NDArray[np.float32], statistics: NDArray[np.float32]) -> None:
        """Writes by how much a client's training has changed what the server has sent.

        Args:
            arrays: What the client has sent.
            update: Where its update goes, shape ``[num_params]``.
            statistics: Where the change of its statistics goes, shape ``[num_statistics]``.

        Raises:
            Unusable: If these are no arrays of this layout.
        """
        if arrays.keys() != self.values.keys():
            odd = sorted(map(str, arrays.keys() ^ self.values.keys()))
            raise Unusable(f"arrays of other names ({', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''})")
        for name, value in self.values.items():
            if name in self._moving:
                row, place = (update, statistics)[self._moving[name][0]], self._moving[name][1]
                own, out = content(arrays[name], value, name), row[place].reshape(value.shape)
                exact = np.float32 if value.dtype.itemsize <= 4 else np.float64
                if self.replies == "updates":
                    np.copyto(out, own, casting="same_kind")
                else:
                    np.subtract(own, value, out=out, dtype=exact, casting="same_kind")
            else:
                content(arrays[name], value, name)

    def moved(self, update: Tensor, statistics: Tensor | None) -> ArrayRecord:
        """The arrays after a step of the server.

        Args:
            update: What is added to the parameters, shape ``[num_params]``.
            statistics: What is added to the statistics, shape ``[num_statistics]``; None for nothing.
        """
        step = update.numpy()
        new = {piece.name: step[piece.place].reshape(piece.shape) for piece in self.parameters}
        moved: dict[str, NDArray[np.generic]] = {name: self.values[name] + part for name, part in new.items()}
        if statistics is not None and self.statistics:
            before = {piece.name: torch.from_numpy(self.values[piece.name]) for piece in self.statistics}
            moved |= {name: value.numpy() for name, value in statistics_moved(before, statistics).items()}
        return ArrayRecord(
            {name: Array(moved.get(name, value).astype(value.dtype, copy=False)) for name, value in self.values.items()}
        )

    def reply(self, update: Tensor, statistics: Tensor) -> ArrayRecord:
        """The arrays that a client sends whose training has made these changes; arguments as for `moved`."""
        if self.replies == "weights":
            return self.moved(update, statistics)
        parts = ((self.parameters, update), (self.statistics, statistics))
        pieces = [(piece, vector.numpy()[piece.place]) for some, vector in parts for piece in some]
        moving = {piece.name: part.reshape(piece.shape) for piece, part in pieces}
        return ArrayRecord(
            {n: Array(moving.get(n, value).astype(value.dtype, copy=False)) for n, value in self.values.items()}
        )

    def change(self, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """By how much tensors of these names have changed: parameters, and statistics of batch normalisation.

        Raises:
            InputError: If there is no tensor of a name.
        """
        missing = [piece.name for piece in (*self.parameters, *self.statistics) if piece.name not in after]
        if missing:
            raise InputError(f"root= returned no {missing[0]}: return the model's whole state after training")
        parts = [
            [after[piece.name].detach().cpu().float() - before[piece.name].float() for piece in pieces]
            for pieces in (self.parameters, self.statistics)
        ]
        parameters, statistics = (torch.cat([torch.zeros(0), *(each.flatten() for each in part)]) for part in parts)
        return parameters, statistics

    @property
    def state(self) -> dict[str, Tensor]:
        """The arrays as tensors of their own, for ``load_state_dict``."""
        return {name: torch.from_numpy(value.copy()) for name, value in self.values.items()}

    @cached_property
    def _moving(self) -> dict[str, tuple[int, slice]]:
        """Of each array that moves, in which vector it is and where."""
        pieces = [(0, piece) for piece in self.parameters] + [(1, piece) for piece in self.statistics]
        return {piece.name: (vector, piece.place) for vector, piece in pieces}


def content(array: Array, like: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """The numbers in an array as it was sent, without a copy; nothing of what it says is believed.

    Args:
        array: The array.
        like: What it is to be like in shape and dtype.
        name: What messages call it.

    Raises:
        Unusable: If it is something else.
    """
    source = io.BytesIO(array.data)
    version = npy.read_magic(source)
    reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = reader(source)
    if dtype != like.dtype or dtype.hasobject:
        raise Unusable(f"{name} is of dtype {dtype}, not {like.dtype}")
    if shape != like.shape:
        raise Unusable(f"{name} is of shape {list(shape)}, not {list(like.shape)}")
    start, count = source.tell(), math.prod(shape)
    if len(array.data) - start != count * dtype.itemsize:
        raise Unusable(f"{name} holds {len(array.data) - start} bytes for {count} numbers")
    numbers = np.frombuffer(array.data, dtype, count, start)
    return numbers.reshape(shape, order="F" if is_fortran else "C")
