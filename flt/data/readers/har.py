"""Reads the UCI HAR files into tensors and checks their shapes, counts and ranges."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from flt.data.examples import Examples
from flt.data.fetching import cache
from flt.data.readers.har_archive import MEMBERS, find_source, read_members, remedy, source_digest
from flt.data.readers.tables import parse_table
from flt.errors import InputError

NUM_EXAMPLES, NUM_FEATURES, NUM_CLASSES, NUM_USERS = 10_299, 561, 6, 30
ROUNDING = 1e-6
LAYOUT = {
    "features": ((NUM_EXAMPLES, NUM_FEATURES), torch.float32),
    "labels": ((NUM_EXAMPLES,), torch.int64),
    "users": ((NUM_EXAMPLES,), torch.int64),
}


def read_har(data_dir: Path) -> tuple[Examples, Tensor]:
    """Reads the examples of both published parts (features in [-1, 1]), from the cache if it holds them.

    Args:
        data_dir: The folder of data sets, see `find_source`.

    Returns:
        The examples and the user of each, from 0 to 29, int64 of shape ``[10299]``.

    Raises:
        InputError: If the files are damaged or are not this data set.
        Unreachable: If there are none and they cannot be downloaded.
    """
    source = find_source(data_dir)
    digest = source_digest(source)
    tensors = cache.load("har", digest, LAYOUT)
    if tensors is None:
        tensors = parse_har(read_members(source), source)
        cache.save("har", digest, tensors)
    return Examples(tensors["features"], tensors["labels"]), tensors["users"]


def parse_har(members: dict[str, bytes], source: Path) -> dict[str, Tensor]:
    """Parses and checks the six files.

    Args:
        members: Content of each file by name.
        source: The folder or archive that holds them, for messages.

    Returns:
        ``features`` float32 of shape ``[10299, 561]``, ``labels`` from 0 to 5 and ``users`` from 0 to 29, both int64
        of shape ``[10299]``.

    Raises:
        InputError: If the content is not that of the data set; the message names the file and, if it can, the line.
    """
    limits = {"y": (1, 1, NUM_CLASSES), "subject": (1, 1, NUM_USERS), "X": (NUM_FEATURES, -1 - ROUNDING, 1 + ROUNDING)}
    tables = {}
    for member in MEMBERS:
        columns, low, high = limits[member.split("/")[1].split("_")[0]]
        tables[member] = parse_table(
            members[member],
            columns=columns,
            low=low,
            high=high,
            whole=columns == 1,
            name=f"{source}: {member}",
            remedy=remedy(source),
        )
    _check_counts(tables, source)
    labels, users, features = (np.concatenate([tables[m] for m in MEMBERS if f"/{k}_" in m]) for k in limits)
    missing = set(range(1, NUM_USERS + 1)) - set(users[:, 0].tolist())
    if missing:
        raise InputError(f"{source} has no examples of subjects {sorted(missing)}: {remedy(source)}")
    return {
        "features": torch.from_numpy(features.astype(np.float32)),
        "labels": torch.from_numpy(labels[:, 0].astype(np.int64) - 1),
        "users": torch.from_numpy(users[:, 0].astype(np.int64) - 1),
    }


def _check_counts(tables: dict[str, np.ndarray], source: Path) -> None:
    for part in ("train", "test"):
        counts = {member: len(table) for member, table in tables.items() if member.startswith(part)}
        if len(set(counts.values())) > 1:
            listing = ", ".join(f"{member} {count}" for member, count in counts.items())
            raise InputError(f"{source} has files with different numbers of lines ({listing}): {remedy(source)}")
    total = sum(len(table) for member, table in tables.items() if "/X_" in member)
    if total != NUM_EXAMPLES:
        raise InputError(f"{source} has {total} examples instead of {NUM_EXAMPLES}: {remedy(source)}")
