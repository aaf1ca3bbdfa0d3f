"""Ways to damage the files of a data set: each makes a function from good files to bad ones."""

import resource
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import official
from official import Files

Change = Callable[[Files], Files]


class Writes:
    """A pickle that would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return open, (str(self.path), "w")


def put(name: str, content: bytes) -> Change:
    """Puts a file there, in place of another or not."""
    return lambda files: files | {name: content}


def cut(name: str, fraction: float = 0.6) -> Change:
    """Cuts off a file's end."""
    return lambda files: files | {name: files[name][: int(fraction * len(files[name]))]}


def flip(name: str, fraction: float = 0.5) -> Change:
    """Flips one bit of a file."""

    def flipped(files: Files) -> Files:
        content = bytearray(files[name])
        content[int(fraction * len(content))] ^= 4
        return files | {name: bytes(content)}

    return flipped


def without(name: str) -> Change:
    """Takes a file away."""
    return lambda files: {other: content for other, content in files.items() if other != name}


def rezip(archive: str, change: Callable[[Files], object]) -> Change:
    """Changes what is in a zip archive: to other files, or to pairs of names and contents."""
    return lambda files: files | {archive: official.zipped(change(official.unzipped(files[archive])))}


def twice(name: str, content: bytes) -> Callable[[Files], object]:
    """Adds a file of a name that there is already, for `rezip`."""
    return lambda files: [*files.items(), (name, content)]


def declared(archive: str, name: str, size: int) -> Change:
    """Has a zip archive's directory say that a file in it is so large."""

    def change(files: Files) -> Files:
        content = files[archive]
        start = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
        return files | {archive: content[: start + 24] + struct.pack("<I", size) + content[start + 28 :]}

    return change


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """An entry of a tar archive, without content."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def retar(*extra: tuple[tarfile.TarInfo | str, bytes], leave_out: str = "") -> Change:
    """Puts further entries before the batches in CIFAR-10's archive."""
    members = [(name, content) for name, content in official.cifar10_folder().items() if name != leave_out]
    return lambda _: {official.cifar10_source.ARCHIVE: official.tarred([*extra, *members])}


def rebatch(name: str, content: bytes) -> Change:
    """Puts another batch into CIFAR-10's archive."""
    members = official.cifar10_folder() | {name: content}
    return lambda _: official.cifar10_files(members.items())


def bomb_png() -> bytes:
    """A PNG image that says it has 60,000 x 60,000 pixels."""
    content = bytearray(official.picture(np.zeros((8, 9, 3), np.uint8)))
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def npy_header(shape: str) -> bytes:
    """The start of an .npy file that says it holds bytes in this shape."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(40)


def tiff_of(width: int) -> bytes:
    """A TIFF image that says it is so wide."""
    content = official.tiff(np.zeros((150, 150, 3), np.uint8))
    tag = struct.pack("<HHII", 256, 4, 1, 150)
    assert content.count(tag) == 1
    return content.replace(tag, struct.pack("<HHII", 256, 4, 1, width))


@contextmanager
def small_disk(num_bytes: int) -> Iterator[None]:
    """No file of this process can grow larger, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
