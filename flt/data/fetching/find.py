"""Finds a published file on this machine or downloads it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from flt.data.fetching.download import Unreachable, download
from flt.errors import InputError

READ_BYTES = 1 << 20


def find_or_download(name: str, urls: Sequence[str], *, digest: str, folders: Sequence[Path]) -> Path:
    """Path of the file ``name`` in the first folder that has it, or of its download in the first writable folder.

    A file that is on this machine already is not checked. A download is kept only if its checksum is right.

    Args:
        name: File name.
        urls: Where it is published, in order of preference; one or more.
        digest: The published checksum, MD5 or SHA-256, in hexadecimal digits.
        folders: Where to look for the file, and where to put it, in order of preference; one or more.

    Raises:
        Unreachable: If no folder has it and no address yields it.
        InputError: If no folder can be written to.
    """
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    for folder in folders:
        try:
            return _download_intact(urls, folder / name, digest)
        except Unreachable:
            raise
        except OSError as error:
            failure = error
    raise InputError(
        f"{name} is in none of the folders {', '.join(map(str, folders))}, and none can be written to ({failure}):"
        " set FLT_DATA or FLT_CACHE to a writable folder with space for it"
    )


def _download_intact(urls: Sequence[str], target: Path, digest: str) -> Path:
    failures, algorithm = [], "md5" if len(digest) == 32 else "sha256"
    for url in urls:
        try:
            download(url, target, accept=lambda part: file_digest([part], algorithm) == digest, attempts=2)
        except (Unreachable, InputError) as error:
            failures.append(str(error))
        else:
            return target
    raise Unreachable("; ".join(failures))


def read_whole(path: Path, *, max_bytes: int, remedy: str) -> bytes:
    """Content of a file, which is refused if it is far too large.

    Args:
        path: The file.
        max_bytes: The largest plausible size.
        remedy: What the user can do about a bad file, for messages.

    Raises:
        InputError: If the file cannot be read or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    if len(content) > max_bytes:
        raise InputError(f"{path} has more than {max_bytes >> 20} MiB, far too large: {remedy}")
    return content


def file_digest(paths: Sequence[Path], algorithm: str = "sha256") -> str:
    """Digest of the joined content of files, in hexadecimal digits.

    Raises:
        InputError: If a file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for path in paths:
        try:
            with path.open("rb") as file:
                while chunk := file.read(READ_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): make it readable, or move it away") from error
    return digest.hexdigest()
