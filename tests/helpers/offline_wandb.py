"""Reading back what Weights & Biases wrote to disk in offline mode.

A ``.wandb`` file is a LevelDB log: after a header of 7 bytes, blocks of 32 KiB hold chunks of a header (checksum,
length, kind; 7 bytes) and data; a record that does not fit into its block is continued in the next.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEADER = 32768, 7
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass(frozen=True)
class OfflineRun:
    """One run: its configuration, its project and its history, a dictionary for each step."""

    project: str
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def read_offline_run(folder: Path) -> OfflineRun:
    """The one run below ``folder``."""
    (path,) = folder.glob("**/*.wandb")
    project, config, history = "", {}, []
    for content in records(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            project = record.run.project
            config |= _items(record.run.config.update)
        elif kind == "config":
            config |= _items(record.config.update)
        elif kind == "history":
            history.append(_items(record.history.item))
    return OfflineRun(project, config, history)


def records(log: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log."""
    assert log[:4] == b":W&B"
    position, parts = HEADER, b""
    while position + HEADER <= len(log):
        left = BLOCK - position % BLOCK
        if left < HEADER:  # too little for another chunk: padding
            position += left
            continue
        _, length, kind = struct.unpack_from("<IHB", log, position)
        data = log[position + HEADER : position + HEADER + length]
        parts = data if kind in (WHOLE, FIRST) else parts + data
        if kind in (WHOLE, LAST):
            yield parts
        position += HEADER + length


def _items(items: Any) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for item in items:
        *path, name = item.nested_key or [item.key]
        place = content
        for key in path:
            place = place.setdefault(key, {})
        place[name] = json.loads(item.value_json)
    return content
