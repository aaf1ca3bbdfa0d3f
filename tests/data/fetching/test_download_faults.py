"""Every published data set under every fault of its download."""

import errno
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import official
import pytest
from damage import small_disk
from loaders import CACHED, CIFAR, LOADERS, TILES, Site, content_of, covered, equal, fails_in_one_line, read

from flt.data.examples import RawData
from flt.data.fetching import download
from flt.data.readers import har_archive as har_source
from flt.files import cache_folder

NAMES = {
    "HAR": har_source.DOWNLOADED_ARCHIVE,
    "MNIST": "MNIST/raw/train-images-idx3-ubyte.gz",
    "FashionMNIST": "FashionMNIST/raw/t10k-images-idx3-ubyte.gz",
    "CIFAR10": CIFAR,
    "CHMNIST": TILES,
}


class Scene:
    """A folder that lacks a file, and a server that has it."""

    def __init__(self, name: str, site: Site, server: Any) -> None:
        files = LOADERS[name].files
        if name == "HAR":
            files = {NAMES[name]: official.zipped(files)}
        self.name, self.folder, self.server = name, site.folder, server
        self.content = server.content = files[NAMES[name]]
        self.others = {path: content for path, content in files.items() if path != NAMES[name]}
        self.target = site.folder / NAMES[name]
        self.part = self.target.with_name(f"{self.target.name}.part")
        site.write(self.others)
        site.serve(server.url)

    def expected(self) -> RawData:
        """What the loader makes of good files."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.target.write_bytes(self.content)
        data = read(self.name, self.folder)
        self.target.unlink()
        return data

    def leave_part(self, content: bytes) -> None:
        """Has an earlier download broken off."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.part.write_bytes(content)


@pytest.fixture
def scene(request: pytest.FixtureRequest, site: Site, server) -> Scene:
    return Scene(request.param, site, server)


every_set = pytest.mark.parametrize("scene", CACHED, indirect=True)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


OVERCOME: dict[str, Callable[[Scene], object]] = {
    "breaks-off-and-resumes": lambda scene: setattr(scene.server, "drops", 1),
    "breaks-off-where-ranges-are-ignored": lambda scene: scene.server.__dict__.update(drops=1, ignores_range=True),
    "500-then-ok": lambda scene: setattr(scene.server, "statuses", (500,)),
    "length-too-large": lambda scene: setattr(scene.server, "length", str(len(scene.content) + 99)),
    "length-no-number": lambda scene: setattr(scene.server, "length", "many"),
    "earlier-part": lambda scene: scene.leave_part(scene.content[:100]),
    "earlier-part-damaged": lambda scene: scene.leave_part(flipped(scene.content)[:-50]),
    "earlier-part-complete-and-damaged": lambda scene: scene.leave_part(flipped(scene.content)),
    "earlier-part-too-long": lambda scene: scene.leave_part(scene.content + b"more"),
}


@pytest.mark.parametrize(("scene", "fault"), covered(OVERCOME), indirect=["scene"])
def test_faults_that_a_download_overcomes(scene: Scene, fault: str):
    expected = scene.expected()
    OVERCOME[fault](scene)
    assert equal(read(scene.name, scene.folder), expected)
    assert scene.target.read_bytes() == scene.content
    assert not scene.part.exists()
    if fault == "breaks-off-and-resumes":
        assert scene.server.ranges == [None, f"bytes={len(scene.content) // 2}-"]


ANOTHER = "yields another file than the published one, or a damaged one"
FATAL: dict[str, tuple[Callable[[Scene, pytest.MonkeyPatch], object], str]] = {
    "404": (lambda scene, _: setattr(scene.server, "statuses", (404, 404)), r"cannot be downloaded \(HTTP 404\)"),
    "500-for-good": (lambda scene, _: setattr(scene.server, "statuses", 9 * (500,)), "cannot be reached .* 500"),
    "wrong-checksum": (lambda scene, _: setattr(scene.server, "content", flipped(scene.content)), ANOTHER),
    "login-page": (lambda scene, _: setattr(scene.server, "content", b"<html>please log in</html>"), ANOTHER),
    "empty": (lambda scene, _: setattr(scene.server, "content", b""), ANOTHER),
    "length-too-small": (lambda scene, _: setattr(scene.server, "length", "50"), ANOTHER),
    "length-absurd": (
        lambda scene, _: setattr(scene.server, "length", str(5 << 30)),
        "5120 MiB or more, far too large",
    ),
    "without-end": (
        lambda scene, patch: (setattr(scene.server, "length", ""), patch.setattr(download, "MAX_BYTES", 10)),
        "far too large for the published file",
    ),
}


@pytest.mark.parametrize(("scene", "fault"), covered(FATAL), indirect=["scene"])
def test_faults_that_end_a_download(scene: Scene, fault: str, monkeypatch: pytest.MonkeyPatch, capsys):
    put_there, problem = FATAL[fault]
    put_there(scene, monkeypatch)
    said = fails_in_one_line(scene.name, scene.folder, capsys)
    site = scene.server.url.removesuffix("file.zip")
    assert re.search(f"{site}.* {problem}.*: copy .* or pass --data.stand_in", said)
    files = {path: content for path, content in content_of(scene.folder).items() if content is not None}
    assert files == scene.others
    assert not list(cache_folder().rglob("*"))


@every_set
def test_a_download_that_breaks_off_each_time_goes_on_in_the_next_run(scene: Scene, capsys):
    scene.server.drops = 9
    said = fails_in_one_line(scene.name, scene.folder, capsys)
    assert "run again to resume" in said
    assert not scene.target.exists()
    received = scene.part.stat().st_size
    scene.server.drops = 0
    assert len(read(scene.name, scene.folder).train) > 0
    assert scene.server.ranges[-1] == f"bytes={received}-"
    assert scene.target.read_bytes() == scene.content


@every_set
def test_a_full_disk(scene: Scene, capsys):
    with small_disk(100):
        said = fails_in_one_line(scene.name, scene.folder, capsys)
    assert re.search(r"File too large.*: set FLT_DATA or FLT_CACHE to a writable folder with space for it", said)
    files = {path: content for path, content in content_of(scene.folder).items() if content is not None}
    assert files == scene.others
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


@every_set
def test_a_read_only_data_folder(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    expected = scene.expected()
    before, io_open = content_of(scene.folder), io.open

    def guarded(path: Any, mode: str = "r", *arguments: Any, **settings: Any) -> Any:
        if set(mode) & set("wax+") and str(path).startswith(str(scene.folder)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return io_open(path, mode, *arguments, **settings)

    monkeypatch.setattr(Path, "open", guarded)
    assert equal(read(scene.name, scene.folder), expected)
    assert content_of(scene.folder) == before
    assert next(cache_folder().rglob(scene.target.name)).read_bytes() == scene.content
    asked = len(scene.server.ranges)
    assert equal(read(scene.name, scene.folder), expected)
    assert len(scene.server.ranges) == asked
