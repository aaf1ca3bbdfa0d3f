"""Small files in the formats of the published data sets, as bytes by their path below the folder of data sets."""

import functools
import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Iterable

import numpy as np
from PIL import Image

from flt.data.readers import chmnist as chmnist_source
from flt.data.readers import cifar10 as cifar10_source
from flt.data.readers import har_archive as har_source
from flt.data.readers import idx

Files = dict[str, bytes]

NUM_TRAIN, NUM_TEST = 20, 10
IMAGES_PER_BATCH = 8
NUM_TILES = 24
HAR_USERS, HAR_FEATURES, HAR_EXAMPLES = 30, 7, 120
CSV_HEADER = ",".join([*(f"pixel{number:04d}" for number in range(4096)), "label"])


def zipped(content: Files | Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip archive; pairs may name a file twice."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a duplicate name is what some tests want
        for name, data in content.items() if isinstance(content, dict) else content:
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unzipped(content: bytes) -> Files:
    """The files in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tarred(members: Iterable[tuple[tarfile.TarInfo | str, bytes]]) -> bytes:
    """A packed tar archive of files by name, or of whatever kind of entry."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, data in members:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            entry.size = len(data) if entry.isreg() and not entry.size else entry.size
            archive.addfile(entry, io.BytesIO(data) if len(data) == entry.size else None)
    return buffer.getvalue()


def packed(array: np.ndarray) -> bytes:
    """An array of bytes in the IDX format."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@functools.cache
def idx_arrays() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", NUM_TRAIN), ("test", NUM_TEST)):
        arrays[f"{part}_images"] = draw.integers(256, size=(count, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = draw.integers(10, size=count, dtype=np.uint8)
    return arrays


def idx_files(name: str, *, suffix: str = ".gz", **changes: np.ndarray) -> Files:
    """The four files of MNIST or a data set in its format, with some arrays changed."""
    pack = functools.partial(gzip.compress, mtime=0) if suffix else bytes
    arrays = idx_arrays() | changes
    return {f"{name}/raw/{stem}{suffix}": pack(packed(arrays[part])) for part, stem in idx.STEMS.items()}


def _text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value


def cifar10_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 pickled it: byte strings, and an array of a dtype with a number for `align`."""
    dtype = b"cnumpy\ndtype\n" + _text(images.dtype.str[1:].encode()) + b"K\x00K\x01\x87R(K\x03" + _text(b"|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + _text(b"b") + b"\x87R"
    array += b"(K\x01" + b"".join(b"M" + struct.pack("<H", size) for size in images.shape) + b"\x86" + dtype
    array += b"\x89T" + struct.pack("<I", images.nbytes) + images.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + _text(b"labels") + numbers + _text(b"data") + array + b"u."


@functools.cache
def cifar10_arrays() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.integers(256, size=(6, IMAGES_PER_BATCH, 3072), dtype=np.uint8), draw.integers(10, size=(6, 8))


def cifar10_folder() -> Files:
    """The folder of batches."""
    return {
        f"{cifar10_source.FOLDER}/{name}": cifar10_batch(images, labels.tolist())
        for name, images, labels in zip(cifar10_source.BATCHES, *cifar10_arrays(), strict=True)
    }


def cifar10_files(members: Iterable[tuple[tarfile.TarInfo | str, bytes]] | None = None) -> Files:
    """The archive of that folder, or of other members."""
    return {cifar10_source.ARCHIVE: tarred(cifar10_folder().items() if members is None else members)}


def tiff(pixels: np.ndarray) -> bytes:
    """A TIFF image."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return buffer.getvalue()


def tiles() -> Files:
    """CH-MNIST's files in their archive: tiles that brighten with their class, and what else lies around."""
    folder = "Kather_texture_2016_image_tiles_5000"
    content = {f"{folder}/": b"", f"__MACOSX/{folder}/01_TUMOR/._1.tif": b"shadow", f"{folder}/readme.txt": b"hello"}
    for number in range(NUM_TILES):
        pixels = np.full((150, 150, 3), 30 * (number % 8), np.uint8)
        pixels[:, 75:] += number // 8
        name = f"{chmnist_source.CLASSES[number % 8]}/{number}_CRC.tif_Row_1_Col_{number}.tif"
        content[f"{folder}/{name}"] = tiff(pixels)
    return content


def chmnist_table() -> np.ndarray:
    """CH-MNIST's pixels and labels, one tile a row."""
    pixels = np.random.default_rng(0).integers(256, size=(NUM_TILES, 4096))
    return np.concatenate([pixels, np.arange(NUM_TILES)[:, None] % 8 + 1], axis=1)


def csv(rows: np.ndarray) -> str:
    """A table in the format of CH-MNIST's."""
    return "\n".join([CSV_HEADER, *(",".join(map(str, row)) for row in rows.tolist())]) + "\n"


@functools.cache
def har_members() -> Files:
    """A small HAR of 30 users: its six files, without their folder."""
    draw = np.random.default_rng(0)
    rows = np.arange(HAR_EXAMPLES)
    tables = {
        "X": draw.uniform(-1, 1, size=(HAR_EXAMPLES, HAR_FEATURES)).round(4),
        "y": draw.integers(1, 7, size=(HAR_EXAMPLES, 1)),
        "subject": rows[:, None] % HAR_USERS + 1,
    }
    return {
        f"{part}/{kind}_{part}.txt": "".join(" ".join(map(str, row)) + "\n" for row in table[chosen].tolist()).encode()
        for part, chosen in (("train", rows < 90), ("test", rows >= 90))
        for kind, table in tables.items()
    }


def har_folder(**changes: bytes) -> Files:
    """HAR's folder."""
    return {f"{har_source.FOLDER}/{name}": content for name, content in (har_members() | changes).items()}


def har_files(content: Files | None = None) -> Files:
    """The archive of that folder, or of other content."""
    return {har_source.ARCHIVE: zipped(har_folder() if content is None else content)}


@functools.cache
def arrays() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    content = {}
    for part, count in (("train", 20), ("test", 8)):
        content |= {f"x_{part}": draw.integers(256, size=(count, 6, 6), dtype=np.uint8)}
        content |= {f"y_{part}": np.arange(count) % 2}
    return content


def npz(**changes: np.ndarray | None) -> bytes:
    """A user's own arrays, some of them changed or left out."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in (arrays() | changes).items() if value is not None})
    return buffer.getvalue()


def picture(pixels: np.ndarray) -> bytes:
    """A PNG image."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pictures() -> Files:
    """A user's own images, below the folder pets."""
    draw = np.random.default_rng(0)
    return {
        f"pets/{part}/{name}/{number}.png": picture(draw.integers(256, size=(8, 9, 3), dtype=np.uint8))
        for part in ("train", "test")
        for name in ("cat", "dog")
        for number in range(3)
    }
