"""Writing files so that a reader never sees half of one, and neither a full disk nor a power cut leaves one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

UNFINISHED = ".part"


def cache_folder() -> Path:
    """Where caches are kept: ``$FLT_CACHE``, or ``~/.cache/flt``."""
    return Path(os.environ.get("FLT_CACHE") or "~/.cache/flt").expanduser()


def write_atomically(path: Path, content: bytes | memoryview | str) -> None:
    """Writes ``content`` beside ``path`` and moves it there in one step; folders are made.

    Raises:
        OSError: If that fails, with ``path`` as its file name; what was there before is still there.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when the block has ended without an exception; folders are made.

    Raises:
        OSError: As `write_atomically`.
    """
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)  # may not outlast a power cut; then there is what was there before, which will do
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise


def append(path: Path, content: str) -> None:
    """Adds to the end of a file; what the disk has no room for in full is taken back.

    Raises:
        OSError: If that fails, with ``path`` as its file name.
    """
    with _named(path), path.open("ab", buffering=0) as file:
        end, left = file.seek(0, os.SEEK_END), memoryview(content.encode())
        try:
            while left:
                left = left[file.write(left) :]
        except BaseException:
            with suppress(OSError):
                file.truncate(end)
            raise


def synchronize(path: Path) -> None:
    """Makes what was appended to a file outlast a power cut; nothing where there is no such file."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        os.fsync(file.fileno())


def remove_unfinished(folder: Path) -> None:
    """Removes what a process that was killed while it wrote left behind; call it only where no other writes."""
    for path in folder.glob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Lets errors name the file that was to be written: a failed write itself does not, and no temporary one's."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
