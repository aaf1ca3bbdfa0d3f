"""Downloads a file over HTTP: it resumes where it broke off, and the file appears only when it is complete."""

import http.client
import os
import socket
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from flt.errors import InputError

if sys.platform != "win32":
    import fcntl

CHUNK_BYTES = 1 << 18
MAX_BYTES = 1 << 30
NETWORK_ERRORS = (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)


class Unreachable(OSError):
    """The network or the server is not there: no name, no connection, or no complete answer in time."""


def download(
    url: str,
    target: Path,
    *,
    accept: Callable[[Path], bool],
    attempts: int = 3,
    timeout: float = 10.0,
    backoff: float = 1.0,
) -> None:
    """Downloads ``url`` to the file ``target``, which appears whole and accepted or not at all.

    An interrupted download stays beside the target as ``.part`` and is resumed by the next attempt or the next run.
    A download that is not accepted is thrown away; if it was a resumed one, the next attempt starts from the beginning.
    If another process is downloading the same file, this one waits for it.

    Args:
        url: Address, ``http`` or ``https``.
        target: File to write; if it exists, nothing is done.
        accept: Whether the complete file, before it is put in its place, is the right one.
        attempts: How often to try, at least 1.
        timeout: Seconds to wait for a connection and for each piece of the answer.
        backoff: Seconds to wait before the second attempt, doubled for each further one.

    Raises:
        InputError: If the address cannot be used.
        Unreachable: If the server refuses the file or has another one, or the last attempt found no network or no
            complete answer.
        OSError: If the folder cannot be written to or is full.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"url={url!r}: only http and https addresses can be downloaded")
    if target.exists():
        return
    made = [folder for folder in target.parents if not folder.exists()]
    part = target.with_name(target.name + ".part")
    try:
        with _one_at_a_time(part, target):
            try:
                _fetch(url, part, target, accept=accept, attempts=attempts, timeout=timeout, backoff=backoff)
            except NETWORK_ERRORS as error:
                raise Unreachable(f"{url} cannot be reached ({error})") from error
            finally:
                _remove_if_empty(part)
    except Unreachable:
        with suppress(OSError):  # that one holds something: what has come so far, say
            for folder in made:
                folder.rmdir()
        raise


def _fetch(
    url: str,
    part: Path,
    target: Path,
    *,
    accept: Callable[[Path], bool],
    attempts: int,
    timeout: float,
    backoff: float,
) -> None:
    for attempt in range(attempts):
        if target.exists():
            return
        if attempt:
            time.sleep(backoff * 2 ** (attempt - 1))
        is_last = attempt == attempts - 1
        had = part.stat().st_size
        try:
            _resume(url, part, timeout=timeout)
        except NETWORK_ERRORS as error:
            _check_refusal(url, error)
            if is_last or isinstance(getattr(error, "reason", None), socket.gaierror):
                raise  # no network, or no such server: it will not be there in a second either
        except OSError:  # such as a full disk: the next folder starts from the beginning
            os.truncate(part, 0)
            raise
        else:
            if accept(part):
                os.replace(part, target)
                return
            os.truncate(part, 0)
            if is_last or not had:
                raise Unreachable(f"{url} yields another file than the published one, or a damaged one")


def _check_refusal(url: str, error: Exception) -> None:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code < 500 and error.code not in (408, 416, 429):
            raise Unreachable(f"{url} cannot be downloaded (HTTP {error.code})") from error


def _remove_if_empty(part: Path) -> None:
    with suppress(FileNotFoundError):  # another process, which came when the file was there already, has removed it
        if not part.stat().st_size:
            part.unlink()


def _resume(url: str, part: Path, *, timeout: float) -> None:
    start = part.stat().st_size
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310
    try:
        response = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{start}":
            error.close()
            return
        if error.code == 416:
            os.truncate(part, 0)
        raise
    with response:
        if response.status != 206:
            start = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise ConnectionError(f"the server was asked to go on from byte {start} and did not")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        with part.open("r+b") as file, _progress(part.stem, start, total) as advance:
            file.truncate(start)
            file.seek(start)
            for chunk in _chunks(response):
                _check_size(url, max(total or 0, file.tell() + len(chunk)))
                file.write(chunk)
                advance(len(chunk))
            received = file.tell()
            file.flush()
            os.fsync(file.fileno())
    if total is not None and received != total:
        raise ConnectionError(f"the connection broke off after {received} of {total} bytes; run again to resume")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK_BYTES):
            yield chunk
    except OSError as error:  # kept apart from errors of the file that is written
        raise ConnectionError(f"the connection broke off: {error}") from error


def _check_size(url: str, size: int) -> None:
    if size > MAX_BYTES:
        raise Unreachable(f"{url} yields {size >> 20} MiB or more, far too large for the published file")


@contextmanager
def _one_at_a_time(part: Path, target: Path) -> Iterator[None]:
    while True:
        part.parent.mkdir(parents=True, exist_ok=True)  # each time, as one that failed takes its folder away
        with part.open("ab") as handle:
            if sys.platform == "win32":
                handle.close()  # an open file could not be renamed there
                yield
                return
            fcntl.flock(handle, fcntl.LOCK_EX)
            # The process that held the lock before may have moved or removed the locked file.
            if target.exists() or _is_at(part, handle.fileno()):
                yield
                return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _progress(name: str, completed: int, total: int | None) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Downloading {name}", completed=completed, total=total)
        yield lambda count: progress.update(task, advance=count)
