"""Reading back what Weights & Biases wrote to disk in offline mode.

A ``.wandb`` file is a LevelDB log: after a header of 7 bytes, blocks of 32 KiB hold chunks of a header (checksum,
length, kind; 7 bytes) and data; a record that does not fit into its block is continued in the next.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import wandb
from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEADER = 32768, 7
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass(frozen=True)
class Definition:
    """What ``define_metric`` said of a metric: its x axis, and what of it goes into the run's summary."""

    x_axis: str
    summary: frozenset[str]


@dataclass(frozen=True)
class OfflineRun:
    """One run: its configuration, project, group, job type, name and tags, and its history, a dictionary for each step.

    ``definitions`` has a `Definition` by the metric's name or pattern; ``summary`` is the last one written; ``files``
    is the folder of tables and images.
    """

    project: str
    files: Path
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    definitions: dict[str, Definition] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    job_type: str = ""
    name: str = ""
    tags: list[str] = field(default_factory=list)

    def with_key(self, name: str) -> list[dict[str, Any]]:
        """The steps that hold this metric."""
        return [step for step in self.history if name in step]


def end_wandb() -> None:
    """Ends the run and waits until it is on disk; ends W&B's service, too, whose folder stays that of its first run."""
    wandb.finish()
    wandb.teardown()


def read_offline_run(folder: Path) -> OfflineRun:
    """The one run below ``folder``."""
    (path,) = folder.glob("**/*.wandb")
    run = OfflineRun("", path.parent / "files")
    for content in records(path.read_bytes()):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            made = record.run
            run = replace(
                run,
                project=made.project,
                group=made.run_group,
                job_type=made.job_type,
                name=made.display_name,
                tags=list(made.tags),
            )
            run.config.update(_items(record.run.config.update))
        elif kind == "config":
            run.config.update(_items(record.config.update))
        elif kind == "history":
            run.history.append(_items(record.history.item))
        elif kind == "summary":
            run.summary.update(_items(record.summary.update))
        elif kind == "metric":
            metric = record.metric
            wanted = frozenset(name for name in ("min", "max", "last", "mean") if getattr(metric.summary, name))
            run.definitions[metric.name or metric.glob_name] = Definition(metric.step_metric, wanted)
    return run


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
