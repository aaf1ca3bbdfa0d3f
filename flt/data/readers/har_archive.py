"""Finds the UCI HAR data set in any published form and reads its files; nothing is unpacked to disk."""

import hashlib
import io
import zipfile
from pathlib import Path

from flt.data.fetching.download import Unreachable, download
from flt.data.fetching.find import read_whole
from flt.errors import InputError
from flt.files import cache_folder

URL = "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
FOLDER = "UCI HAR Dataset"
ARCHIVE = "UCI HAR Dataset.zip"
DOWNLOADED_ARCHIVE = "human+activity+recognition+using+smartphones.zip"
MEMBERS = tuple(f"{part}/{kind}_{part}.txt" for part in ("train", "test") for kind in ("y", "subject", "X"))
MAX_MEMBER_BYTES = 256 << 20


def find_source(data_dir: Path) -> Path:
    """Path of the folder or archive to read, which is downloaded if there is none.

    Looks in ``data_dir`` for the folder ``UCI HAR Dataset``, then the archive ``UCI HAR Dataset.zip``, then UCI's
    newer download with that archive inside. A download goes to ``data_dir``, or to the cache folder if ``data_dir``
    cannot be written to.

    Args:
        data_dir: The folder of data sets.

    Raises:
        Unreachable: If there is none and it cannot be downloaded.
        InputError: If a download has nowhere to go.
    """
    candidates = [data_dir / FOLDER, data_dir / ARCHIVE, data_dir / DOWNLOADED_ARCHIVE]
    targets = [data_dir / DOWNLOADED_ARCHIVE, cache_folder() / DOWNLOADED_ARCHIVE]
    for candidate in [*candidates, targets[1]]:
        if candidate.exists():
            return candidate
    for target in targets:
        try:
            download(URL, target, accept=_is_intact)
        except Unreachable:
            raise
        except OSError as error:
            failure = error
        else:
            return target
    raise InputError(
        f"data.data_dir={str(data_dir)!r} has no {ARCHIVE!r}, and neither it nor {cache_folder()} can be written to"
        f" ({failure}): set FLT_DATA or FLT_CACHE to a writable folder with space for it"
    )


def _is_intact(path: Path) -> bool:
    # No checksum is published, but each file in an archive has one.
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [info.file_size for info in archive.infolist()]
            return max(sizes, default=0) <= MAX_MEMBER_BYTES and archive.testzip() is None
    except Exception:  # a damaged archive can make the reader raise anything
        return False


def remedy(source: Path) -> str:
    """Advice for the user of a bad copy, for messages."""
    if source.is_dir():
        return f"restore {source} from the original archive, or move it away to have that downloaded"
    return "delete it and run again to download it, or put a good copy in its place"


def source_digest(source: Path) -> str:
    """SHA-256 of an archive, or of the six files of a folder, in hexadecimal digits.

    Raises:
        InputError: If a file is missing from a folder.
    """
    digest = hashlib.sha256()
    for path in [source / member for member in MEMBERS] if source.is_dir() else [source]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): {remedy(source)}") from error
        digest.update(b"|")
    return digest.hexdigest()


def read_members(source: Path) -> dict[str, bytes]:
    """Content of the data set's six files.

    Args:
        source: The folder or archive that `find_source` returned.

    Returns:
        File content by name, such as ``"train/X_train.txt"``.

    Raises:
        InputError: If the archive is damaged or a file is missing or absurdly large.
    """
    if source.is_dir():
        return {
            member: read_whole(source / member, max_bytes=MAX_MEMBER_BYTES, remedy=remedy(source)) for member in MEMBERS
        }
    try:
        with zipfile.ZipFile(source) as archive:
            if _find(archive, ARCHIVE, source) is None:
                return _extract_all(archive, source)
            with zipfile.ZipFile(io.BytesIO(_extract(archive, ARCHIVE, source))) as nested:
                return _extract_all(nested, source)
    except InputError:
        raise
    except Exception as error:  # a damaged archive can make the reader raise anything
        raise InputError(f"{source} is not a readable zip archive (truncated?): {remedy(source)}") from error


def _extract_all(archive: zipfile.ZipFile, source: Path) -> dict[str, bytes]:
    return {member: _extract(archive, member, source) for member in MEMBERS}


def _extract(archive: zipfile.ZipFile, member: str, source: Path) -> bytes:
    info = _find(archive, member, source)
    if info is None:
        raise InputError(f"{source} has no file {member}: {remedy(source)}")
    if info.file_size > MAX_MEMBER_BYTES:
        raise InputError(f"{source} has a file {member} of {info.file_size >> 20} MiB, far too large: {remedy(source)}")
    return archive.read(info)


def _find(archive: zipfile.ZipFile, member: str, source: Path) -> zipfile.ZipInfo | None:
    matches = (info for info in archive.infolist() if f"/{info.filename}".endswith(f"/{member}"))
    found = [info for info in matches if not info.filename.startswith("__MACOSX/")]
    if len(found) > 1:
        raise InputError(f"{source} has the file {member} twice: {remedy(source)}")
    return found[0] if found else None
