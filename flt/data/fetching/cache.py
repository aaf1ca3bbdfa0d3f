"""Keeps parsed data sets on disk, so that a second run need not parse them. A cache may always be deleted."""

import hashlib
import io
import os
import warnings
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.files import cache_folder, write_atomically

FORMAT_VERSION = 2


def cache_file(name: str, digest: str) -> Path:
    """The file that holds data set ``name`` as parsed from the source with this digest."""
    return cache_folder() / f"{name}-{digest[:16]}.pt"


def save(name: str, digest: str, tensors: Mapping[str, Tensor]) -> None:
    """Writes the tensors of a data set to the cache. If the folder cannot be written to, it warns once.

    The file appears whole or not at all, also when several runs write it at the same time.

    Args:
        name: Name of the data set, part of the file name.
        digest: Digest of the source that the tensors were parsed from, in hexadecimal digits.
        tensors: The tensors by name.
    """
    content = {
        "version": FORMAT_VERSION,
        "digest": digest,
        "checksum": _checksum(tensors),
        "tensors": {key: tensor.contiguous() for key, tensor in tensors.items()},
    }
    path, buffer = cache_file(name, digest), io.BytesIO()
    torch.save(content, buffer)
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:  # its text has the temporary file's name, which differs each time
        _warn_unwritable(str(path.parent), error.strerror or str(error))


def load(
    name: str, digest: str, expected: Mapping[str, tuple[tuple[int, ...], torch.dtype]]
) -> dict[str, Tensor] | None:
    """Reads the tensors that `save` wrote.

    Args:
        name: Name of the data set.
        digest: Digest of the present source.
        expected: Shape and dtype of every tensor.

    Returns:
        The tensors; None if there are none, or, with a warning, if the file cannot be used.
    """
    path = cache_file(name, digest)
    if not os.path.isfile(path):  # Path.is_file raises in a folder without permission
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of files that it did not write
            content = torch.load(path, map_location="cpu", weights_only=True)
        problem = _problem(content, digest, expected)
    except Exception as error:  # a damaged file can make the unpickler raise anything
        problem = f"it cannot be read ({type(error).__name__})"
    if problem is None:
        return dict(content["tensors"])
    rank_zero_warn(f"The cache {path} is not used: {problem}. The data set is parsed again and the cache rewritten.")
    return None


def _problem(content: object, digest: str, expected: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> str | None:
    if not isinstance(content, dict) or content.get("version") != FORMAT_VERSION:
        return "it was written by another version of flt"
    if content["digest"] != digest:
        return "it belongs to another source"
    found = {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in content["tensors"].items()}
    if found != dict(expected):
        return "its tensors have other names, shapes or types than expected"
    if content["checksum"] != _checksum(content["tensors"]):
        return "its checksum is wrong"
    return None


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode())
        digest.update(tensors[key].contiguous().numpy().data)
    return digest.hexdigest()


@lru_cache
def _warn_unwritable(folder: str, reason: str) -> None:
    rank_zero_warn(
        f"The cache folder {folder} cannot be written to ({reason}): data sets are parsed anew in each run."
        " Set FLT_CACHE to a writable folder."
    )
