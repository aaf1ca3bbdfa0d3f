import errno
import fcntl
import functools
import http.client
import http.server
import threading
from pathlib import Path

import pytest

from flt.data.fetching import download as module
from flt.data.fetching.download import Unreachable
from flt.errors import InputError

download = functools.partial(module.download, accept=Path.is_file)


def test_a_complete_part_is_taken(server, tmp_path: Path):
    (tmp_path / "file.zip.part").write_bytes(server.content)
    download(server.url, tmp_path / "file.zip", attempts=1)
    assert (tmp_path / "file.zip").read_bytes() == server.content


def test_an_existing_file_is_not_touched(server, tmp_path: Path):
    (tmp_path / "file.zip").write_bytes(b"the user's")
    download(server.url, tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == b"the user's"
    assert server.ranges == []


def test_a_busy_server_is_asked_again_after_longer_and_longer_waits(server, tmp_path: Path, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    server.statuses = (503, 429, 500)
    download(server.url, tmp_path / "file.zip", attempts=4, backoff=1.5)
    assert waits == [1.5, 3.0, 6.0]
    assert (tmp_path / "file.zip").read_bytes() == server.content


def test_a_silent_server_is_unreachable(tmp_path: Path):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        url = f"http://127.0.0.1:{silent.server_port}/x"
        with pytest.raises(Unreachable, match="timed out"):
            download(url, tmp_path / "x", attempts=1, timeout=0.2)


def test_a_folder_for_what_does_not_come_is_taken_away(server, tmp_path: Path):
    server.statuses = (404, 404)
    (tmp_path / "there").mkdir()
    for folder in ("new/deep", "there"):
        with pytest.raises(Unreachable, match="404"):
            download(server.url, tmp_path / folder / "x", attempts=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_folder_that_cannot_be_made_is_no_network_problem(server, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        download(server.url, tmp_path / "file" / "sub" / "x")
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "x.zip"])
def test_other_schemes_are_refused(url: str, tmp_path: Path):
    with pytest.raises(InputError, match="only http and https"):
        download(url, tmp_path / "x")


def test_two_downloads_at_once_share_one_transfer(server, tmp_path: Path):
    threads = [threading.Thread(target=download, args=(server.url, tmp_path / "file.zip")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (tmp_path / "file.zip").read_bytes() == server.content
    assert server.ranges == [None]


def test_who_waited_for_a_download_that_was_given_up_starts_anew(server, tmp_path: Path):
    part = tmp_path / "file.zip.part"
    with part.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        waiting = threading.Thread(target=download, args=(server.url, tmp_path / "file.zip"))
        waiting.start()
        waiting.join(0.1)  # until it waits, or nearly always
        part.unlink()
    waiting.join(10)
    assert (tmp_path / "file.zip").read_bytes() == server.content
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]


def test_who_comes_just_after_a_download_leaves_nothing_behind(server, tmp_path: Path, monkeypatch):
    def flock(handle, _: int) -> None:
        (tmp_path / "file.zip").write_bytes(b"another's")

    monkeypatch.setattr(module.fcntl, "flock", flock)
    download(server.url, tmp_path / "file.zip")
    assert server.ranges == []
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]


def test_an_error_of_the_network_is_not_taken_for_one_of_the_disk(server, tmp_path: Path, monkeypatch):
    def no_route(self, _: int) -> bytes:
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(http.client.HTTPResponse, "read", no_route)
    with pytest.raises(Unreachable, match=r"broke off: .*No route to host"):
        download(server.url, tmp_path / "file.zip", backoff=0)
    assert len(server.ranges) == 3
