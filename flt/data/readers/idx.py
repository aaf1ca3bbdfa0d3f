"""Reads the IDX files of MNIST and Fashion-MNIST from where torchvision keeps them; nothing is unpacked to disk."""

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from flt.data.fetching import cache
from flt.data.fetching.find import file_digest, find_or_download
from flt.data.readers.images import Images, layout
from flt.errors import InputError
from flt.files import cache_folder

NUM_TRAIN, NUM_TEST, NUM_CLASSES, SHAPE = 60_000, 10_000, 10, (1, 28, 28)
STEMS = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


class Published(NamedTuple):
    """Where a data set is published.

    Attributes:
        mirrors: Addresses of folders, each with all files.
        md5: Checksum of each file by its name, packed (``.gz``) and not.
    """

    mirrors: tuple[str, ...]
    md5: dict[str, str]


def read_idx_images(name: str, data_dir: Path, published: Callable[[], Published]) -> Images:
    """Reads MNIST or a data set in its format, from the cache if it holds it.

    Each of the four files is looked for in ``data_dir/name/raw``, packed (``.gz``) or not, and downloaded if it is not
    there: to that folder, or below the cache folder if that cannot be written to.

    Args:
        name: Name of the data set and of its folder.
        data_dir: The folder of data sets.
        published: Returns where the data set is published; called only if a file is missing or is parsed.

    Raises:
        InputError: If a file is damaged or is not of this data set.
        Unreachable: If a file is missing and cannot be downloaded.
    """
    folders = [folder / name / "raw" for folder in (data_dir, cache_folder())]
    sources = {part: _find(stem, folders, published) for part, stem in STEMS.items()}
    digest = file_digest(list(sources.values()))
    expected = layout(NUM_TRAIN, NUM_TEST, SHAPE)
    tensors = cache.load(name.lower(), digest, expected)
    if tensors is None:
        arrays = {part: _read(source, published) for part, source in sources.items()}
        for part, array in arrays.items():
            _check(array, part, sources[part])
        tensors = {
            part: torch.from_numpy(array).view(expected[part][0]).to(expected[part][1])
            for part, array in arrays.items()
        }
        cache.save(name.lower(), digest, tensors)
    return Images(**tensors)


def _find(stem: str, folders: list[Path], published: Callable[[], Published]) -> Path:
    packed = f"{stem}.gz"
    for folder in folders:
        for name in (packed, stem):
            if (folder / name).exists():
                return folder / name
    source = published()
    return find_or_download(
        packed, [mirror + packed for mirror in source.mirrors], digest=source.md5[packed], folders=folders
    )


def _read(source: Path, published: Callable[[], Published]) -> NDArray[np.uint8]:
    if file_digest([source], "md5") != published().md5[source.name]:
        raise InputError(f"{source} is not the published file (truncated?): {_remedy(source)}")
    content = source.read_bytes()
    if source.suffix != ".gz":
        return parse_idx(content, source)
    try:
        return parse_idx(gzip.decompress(content), source)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{source} cannot be unpacked: {_remedy(source)}") from error


def parse_idx(content: bytes, source: Path) -> NDArray[np.uint8]:
    r"""Reads the array of bytes in an IDX file.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of dimensions, each dimension as four bytes
    with the highest first, and the values.

    Args:
        content: The file's content, unpacked.
        source: The file, for messages.

    Raises:
        InputError: If the content is not that of such a file.

    Example:
        >>> parse_idx(b"\0\0\x08\x01\0\0\0\x03\x07\x08\x09", Path("labels")).tolist()
        [7, 8, 9]
    """
    num_dimensions = content[3] if len(content) > 3 else 0
    header = 4 + 4 * num_dimensions
    if content[:3] != b"\0\0\x08" or len(content) < header:
        raise InputError(f"{source} is not an IDX file of bytes: {_remedy(source)}")
    shape = np.frombuffer(content, ">u4", num_dimensions, offset=4).tolist()
    if len(content) - header != math.prod(shape):
        raise InputError(
            f"{source} has {len(content) - header} values instead of {math.prod(shape)} (truncated?): {_remedy(source)}"
        )
    values: NDArray[np.uint8] = np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()
    return values


def _check(array: NDArray[np.uint8], part: str, source: Path) -> None:
    count = NUM_TRAIN if part.startswith("train") else NUM_TEST
    expected = (count, *SHAPE[1:]) if part.endswith("images") else (count,)
    if array.shape != expected:
        raise InputError(
            f"{source} holds an array of shape {list(array.shape)} instead of {list(expected)}: {_remedy(source)}"
        )
    if part.endswith("labels") and array.max() >= NUM_CLASSES:
        raise InputError(
            f"{source} has the label {array.max()}, where labels go from 0 to {NUM_CLASSES - 1}: {_remedy(source)}"
        )


def _remedy(source: Path) -> str:
    return f"delete it and run again to download it, or put a good copy of {source.name} in its place"
