"""Data sets to test with: the real one where the machine has it, and a copy in the official format where not."""

import contextlib
import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from loaders import Site

from flt.cli import exit_status
from flt.data.fetching import cache
from flt.data.fetching import find as fetch
from flt.data.fetching.download import Unreachable, download
from flt.data.readers import har_archive as har_source


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test has its own cache and no network: downloads go to a port where nobody listens."""
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FLT_DATA", raising=False)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.setattr(har_source, "URL", "http://127.0.0.1:9/har.zip")
    monkeypatch.setattr(har_source, "download", functools.partial(download, backoff=0))
    monkeypatch.setattr(fetch, "download", _local_download)
    cache._warn_unwritable.cache_clear()
    yield
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def _local_download(url: str, target: Path, *, accept: Callable[[Path], bool], attempts: int) -> None:
    if not url.startswith("http://127.0.0.1:"):
        raise Unreachable(f"{url} cannot be reached (this is a test)")
    download(url, target, accept=accept, attempts=attempts, backoff=0)


class FileServer(ThreadingHTTPServer):
    """Serves one file under any path, as badly as a test wants it to."""

    content = bytes(range(256)) * 40
    ignores_range = False
    drops = 0
    length: str | None = None
    statuses: tuple[int, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FileHandler)
        self.ranges: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}/file.zip"


class FileHandler(BaseHTTPRequestHandler):
    server: FileServer
    timeout = 5

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.ranges.append(wanted)
        if server.statuses:
            status, *rest = server.statuses
            server.statuses = tuple(rest)
            self.send_error(status)
            return
        size = len(server.content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and not server.ignores_range else 0
        if wanted and start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", server.length or str(size - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        body = server.content[start:]
        if server.drops:
            server.drops -= 1
            body = body[: len(body) // 2]
        with contextlib.suppress(ConnectionError):  # a client that has seen enough
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A web server on this machine."""
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join(5)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An empty folder, and where small data sets are published."""
    monkeypatch.setattr(exit_status, "set_up", lambda: None)  # what it settles is settled by pytest
    return Site(tmp_path / "data", monkeypatch)
