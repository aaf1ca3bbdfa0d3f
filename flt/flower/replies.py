"""Replies of clients: what of them can be used, and why the others cannot."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import Message, MetricRecord
from numpy.typing import NDArray
from torch import Tensor

from flt.flower.layout import Layout, Unusable
from flt.functional import all_finite, finite_rows

KINDS = {
    "error:": "error",
    "not asked": "not-asked",
    "answered twice": "twice",
    "did not answer": "no-answer",
    "NaN": "not-finite",
    "of shape": "shape",
    "of dtype": "dtype",
    "other names": "names",
    "place": "place",
}
"""What metrics call the reasons for which replies are dropped."""


@dataclass(frozen=True)
class Reply:
    """What a node says beside its arrays; nothing of it need be true.

    Attributes:
        message: The reply.
        metrics: Its numbers by name, those that are finite.
    """

    message: Message
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Readings:
    """The replies of a round that can be used, and the others.

    Attributes:
        replies: Of each node, in the order in which nodes were asked.
        updates: By how much each client's parameters differ from those that the server sent, shape
            ``[num_replies, num_params]``.
        statistics: The same of batch normalisation's statistics, shape ``[num_replies, num_statistics]``.
        dropped: Why others cannot be used, by node; 0 stands for a sender whom nobody knows.
    """

    replies: Mapping[int, Reply]
    updates: Tensor
    statistics: Tensor
    dropped: tuple[tuple[int, str], ...]

    def without(self, refused: Mapping[int, str]) -> Readings:
        """The readings without the replies of some nodes, each with the reason."""
        if not refused:
            return self
        kept = torch.tensor([node not in refused for node in self.replies])
        replies = {node: reply for node, reply in self.replies.items() if node not in refused}
        return Readings(replies, self.updates[kept], self.statistics[kept], (*self.dropped, *refused.items()))

    @property
    def nodes(self) -> list[int]:
        """Who has sent what can be used."""
        return list(self.replies)


class Space:
    """Memory for a round's rows, which the next round gets again unless somebody still holds a part of it.

    New memory has to be cleared page by page, which takes as long as a rule.
    """

    def __init__(self) -> None:
        self._kept = np.empty((0, 0), np.float32)
        self._alone = sys.getrefcount(self._kept)

    def rows(self, count: int, width: int) -> NDArray[np.float32]:
        """Rows of any content, shape ``[count, width]``."""
        is_held = sys.getrefcount(self._kept) > self._alone  # every view and every tensor of one holds it once more
        if is_held or len(self._kept) < count or self._kept.shape[1] != width:
            self._kept = np.empty((count, width), np.float32)
        return self._kept[:count]


def read_replies(
    replies: Iterable[Message], asked: Collection[int], layout: Layout, space: Space | None = None
) -> Readings:
    """Reads the replies of a round; no reply, whatever it holds, raises an exception.

    Dropped are errors, messages from nodes that were not asked in this round (late ones and strangers), second ones of
    a node, those without exactly one record of arrays, arrays of other names, shapes and dtypes, damaged ones, and
    numbers that are not finite. A node that was asked and is not among the senders is missing.

    Args:
        replies: What came back in time.
        asked: The nodes that the server has sent the model to in this round.
        layout: The model that it has sent.
        space: Where the updates are written; None for memory of their own.
    """
    dropped: list[tuple[int, str]] = []
    first: dict[int, Message] = {}
    expected = frozenset(asked)
    for message in replies:
        node = _sender(message)
        if node not in expected:
            dropped.append((node, "was not asked in this round"))
        elif node in first:
            dropped.append((node, "answered twice"))
        else:
            first[node] = message
    dropped += [(node, "did not answer") for node in asked if node not in first]
    # Each row is written where it stays; what turns out unusable is cut off, or its place taken by the next.
    updates = (space or Space()).rows(len(first), layout.num_params)
    statistics = np.empty((len(first), layout.num_statistics), np.float32)
    usable: dict[int, Reply] = {}
    for node in asked:
        if node not in first:
            continue
        row = len(usable)
        try:
            usable[node] = _read(first[node], layout, updates[row], statistics[row])
        except Unusable as reason:
            dropped.append((node, str(reason)))
        except Exception as error:  # whatever a hostile message makes a library raise
            dropped.append((node, f"malformed ({type(error).__name__})"))
    count = len(usable)
    return _finite(usable, torch.from_numpy(updates[:count]), torch.from_numpy(statistics[:count]), dropped)


def numbers_of(record: Mapping[str, object]) -> dict[str, float]:
    """The finite numbers among a record's values, by name."""
    numbers = {name: value for name, value in record.items() if isinstance(value, int | float)}
    return {str(name): float(value) for name, value in numbers.items() if abs(value) < 2**63 and math.isfinite(value)}


def kind_of(reason: str) -> str:
    """The reason without what differs from reply to reply, as the name of a metric."""
    return next((kind for mark, kind in KINDS.items() if mark in reason), "malformed")


def _sender(message: Message) -> int:
    try:
        return int(message.metadata.src_node_id)
    except Exception:  # no message at all
        return 0


def _read(message: Message, layout: Layout, update: NDArray[np.float32], statistics: NDArray[np.float32]) -> Reply:
    """Reads one reply and writes its arrays' changes into its rows."""
    if message.has_error():
        raise Unusable(f"error: {' '.join(str(message.error.reason).split())[:200]}")
    records = list(message.content.array_records.values())
    if len(records) != 1:
        raise Unusable(f"{len(records)} records of arrays, not 1")
    with np.errstate(all="ignore"):  # numbers that are not finite are looked for afterwards
        layout.read(records[0], update, statistics)
    metrics: dict[str, float] = {}
    for record in message.content.metric_records.values():
        if isinstance(record, MetricRecord):
            metrics |= numbers_of(record)
    return Reply(message, metrics)


def _finite(usable: dict[int, Reply], updates: Tensor, statistics: Tensor, dropped: list[tuple[int, str]]) -> Readings:
    """The readings without rows that hold a NaN or an infinity."""
    readings = Readings(usable, updates, statistics, tuple(dropped))
    if all_finite(updates) and all_finite(statistics):
        return readings
    is_finite = (finite_rows(updates) & finite_rows(statistics)).tolist()
    refused = [node for node, is_good in zip(usable, is_finite, strict=True) if not is_good]
    return readings.without(dict.fromkeys(refused, "a NaN or an infinity"))
