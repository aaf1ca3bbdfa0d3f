"""Reads the official CIFAR-10 files from where torchvision keeps them; nothing is unpacked to disk."""

import hashlib
import io
import pickle
import tarfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from flt.data.fetching import cache
from flt.data.fetching.find import file_digest, find_or_download, read_whole
from flt.data.readers.images import Images, layout
from flt.errors import InputError
from flt.files import cache_folder

NUM_TRAIN, NUM_TEST, NUM_CLASSES, SHAPE = 50_000, 10_000, 10, (3, 32, 32)
FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
MAX_MEMBER_BYTES = 64 << 20
ARRAY_PARTS = {("numpy", "dtype"), ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct")}
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


class Published(NamedTuple):
    """Where CIFAR-10 is published.

    Attributes:
        url: Address of the archive.
        archive_md5: Its checksum.
        batch_md5: Checksum of each batch file by its name.
    """

    url: str
    archive_md5: str
    batch_md5: dict[str, str]


def published() -> Published:
    """Address and checksums that torchvision knows."""
    from torchvision.datasets import CIFAR10  # type: ignore[import-untyped]  # slow to import

    return Published(CIFAR10.url, CIFAR10.tgz_md5, dict(CIFAR10.train_list + CIFAR10.test_list))


def read_cifar10(data_dir: Path) -> Images:
    """Reads all images, from the cache if it holds them.

    Args:
        data_dir: The folder of data sets, with the folder ``cifar-10-batches-py`` or the archive
            ``cifar-10-python.tar.gz``; that is downloaded if there is neither, to ``data_dir``, or to the cache folder
            if ``data_dir`` cannot be written to.

    Raises:
        InputError: If the files are damaged or are not this data set.
        Unreachable: If there are none and they cannot be downloaded.
    """
    source = _find_source(data_dir)
    digest = file_digest([source / batch for batch in BATCHES] if source.is_dir() else [source])
    expected = layout(NUM_TRAIN, NUM_TEST, SHAPE)
    tensors = cache.load("cifar10", digest, expected)
    if tensors is None:
        tensors = _parse(_read_batches(source), source)
        if {part: (tuple(tensor.shape), tensor.dtype) for part, tensor in tensors.items()} != expected:
            raise InputError(f"{source} has not {NUM_TRAIN} training and {NUM_TEST} test images: {_remedy(source)}")
        cache.save("cifar10", digest, tensors)
    return Images(**tensors)


def _find_source(data_dir: Path) -> Path:
    if (data_dir / FOLDER).is_dir():
        return data_dir / FOLDER
    folders = [data_dir, cache_folder()]
    for folder in folders:
        if (folder / ARCHIVE).exists():
            return folder / ARCHIVE
    official = published()
    return find_or_download(ARCHIVE, [official.url], digest=official.archive_md5, folders=folders)


def _read_batches(source: Path) -> dict[str, bytes]:
    if source.is_dir():
        return {
            batch: read_whole(source / batch, max_bytes=MAX_MEMBER_BYTES, remedy=_remedy(source)) for batch in BATCHES
        }
    found = {}
    try:
        with tarfile.open(source, "r:gz") as archive:
            for member in archive:
                if member.size > MAX_MEMBER_BYTES:  # checked first, because reaching the next one unpacks it
                    raise InputError(
                        f"{source} has a file {member.name} of {member.size >> 20} MiB, far too large:"
                        f" {_remedy(source)}"
                    )
                name = Path(member.name).name
                if name in BATCHES and member.isreg() and (file := archive.extractfile(member)):
                    found[name] = file.read()
    except InputError:
        raise
    except Exception as error:  # a damaged archive can make the reader raise anything
        raise InputError(f"{source} is not a readable archive (truncated?): {_remedy(source)}") from error
    missing = [batch for batch in BATCHES if batch not in found]
    if missing:
        raise InputError(f"{source} has no file {missing[0]}: {_remedy(source)}")
    return found


def _parse(batches: dict[str, bytes], source: Path) -> dict[str, torch.Tensor]:
    md5 = published().batch_md5
    for name in BATCHES:
        if hashlib.md5(batches[name], usedforsecurity=False).hexdigest() != md5[name]:
            raise InputError(f"{source}: {name} is not the published file (truncated?): {_remedy(source)}")
    *train, test = (_unpickle(batches[name], f"{source}: {name}", source) for name in BATCHES)
    return {
        "train_images": torch.from_numpy(np.concatenate([images for images, _ in train])),
        "train_labels": torch.from_numpy(np.concatenate([labels for _, labels in train])),
        "test_images": torch.from_numpy(test[0].copy()),
        "test_labels": torch.from_numpy(test[1]),
    }


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles Python's own values and NumPy arrays; it looks up no other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickle(content: bytes, name: str, source: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with warnings.catch_warnings():
        # Python 2 wrote these files with a number where NumPy wants a boolean.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        try:
            batch = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
            images, labels = np.asarray(batch["data"]).reshape(-1, *SHAPE), np.array(batch["labels"], dtype=np.int64)
        except Exception as error:  # a damaged file can make the unpickler raise anything
            raise InputError(f"{name} has no images and labels ({error}): {_remedy(source)}") from error
    if images.dtype != np.uint8 or len(images) != len(labels) or not set(labels.tolist()) <= set(range(NUM_CLASSES)):
        raise InputError(f"{name} has not one label from 0 to {NUM_CLASSES - 1} for each image: {_remedy(source)}")
    return images, labels


def _remedy(source: Path) -> str:
    if source.is_dir():
        return f"restore {source} from {ARCHIVE}, or move it away to have that downloaded"
    return "delete it and run again to download it, or put a good copy in its place"
