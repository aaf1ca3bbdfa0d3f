"""Every cached data set under every fault of its cache: the run goes on, with one warning and the right data."""

import errno
import multiprocessing
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from damage import Writes, small_disk
from loaders import LOADERS, Site, content_of, covered, equal, read

from flt.data.fetching import cache
from flt.files import cache_folder


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def changed(**changes: object) -> Callable[[Path], None]:
    return lambda file: torch.save(torch.load(file, weights_only=True) | changes, file)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "half-written": (half, "it cannot be read"),
    "another-version": (changed(version=0), "it was written by another version of flt"),
    "another-source": (changed(digest="00"), "it belongs to another source"),
    "other-tensors": (changed(tensors={}), "its tensors have other names, shapes or types"),
    "forbidden-class": (lambda file: torch.save(Writes(file.with_name("ran")), file), "it cannot be read"),
    "plain-pickle": (lambda file: file.write_bytes(pickle.dumps(Writes(file.with_name("ran")))), "it cannot be read"),
}


def noting_warnings(name: str, folder: Path) -> tuple[object, list[str]]:
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        data = read(name, folder)
    return data, [str(warning.message) for warning in noted]


@pytest.mark.parametrize(("name", "fault"), covered(DAMAGES))
def test_a_broken_cache_is_rebuilt_from_the_source(name: str, fault: str, site: Site):
    damage, problem = DAMAGES[fault]
    site.write(LOADERS[name].files)
    expected, sources = read(name, site.folder), content_of(site.folder)
    (file,) = cache_folder().iterdir()
    damage(file)
    data, (line,) = noting_warnings(name, site.folder)
    assert line.startswith(f"The cache {file} is not used: {problem}")
    assert line.endswith("The data set is parsed again and the cache rewritten.")
    assert "\n" not in line
    assert equal(data, expected)
    assert equal(read(name, site.folder), expected)  # and now without a warning, which would be an error
    assert content_of(site.folder) == sources
    assert list(cache_folder().iterdir()) == [file]


def failing(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    def mkstemp(dir: Path, prefix: str, suffix: str) -> None:
        raise OSError(number, os.strerror(number), f"{dir}/{prefix}{os.urandom(4).hex()}")

    return lambda patch: patch.setattr(tempfile, "mkstemp", mkstemp)


def below_a_file(patch: pytest.MonkeyPatch) -> None:
    file = cache_folder().parent / "file"
    file.touch()
    patch.setenv("FLT_CACHE", str(file / "cache"))


OBSTACLES: dict[str, tuple[Callable[[pytest.MonkeyPatch], object], str]] = {
    "below-a-file": (below_a_file, "Not a directory"),
    "name-too-long": (lambda patch: patch.setenv("FLT_CACHE", f"/{300 * 'x'}"), "File name too long"),
    "forbidden": (failing(errno.EACCES), "Permission denied"),
    "full-in-the-middle": (lambda patch: patch.setattr(cache, "write_atomically", on_a_small_disk), "File too large"),
}


def on_a_small_disk(path: Path, content: bytes, write: Callable[[Path, bytes], None] = cache.write_atomically) -> None:
    with small_disk(1000):
        write(path, content)


@pytest.mark.parametrize(("name", "obstacle"), covered(OBSTACLES))
def test_without_a_cache_the_run_goes_on(name: str, obstacle: str, site: Site, monkeypatch: pytest.MonkeyPatch):
    site.write(LOADERS[name].files)
    expected = read(name, site.folder)
    for file in cache_folder().iterdir():
        file.unlink()
    put_there, problem = OBSTACLES[obstacle]
    put_there(monkeypatch)
    data, (line,) = noting_warnings(name, site.folder)
    assert line.startswith(f"The cache folder {cache_folder()} cannot be written to ({problem})")
    assert line.endswith("Set FLT_CACHE to a writable folder.")
    again, more = noting_warnings(name, site.folder)
    assert equal(data, expected)
    assert equal(again, expected)
    assert more == []  # once is enough
    assert not os.path.isdir(cache_folder()) or os.listdir(cache_folder()) == []


@pytest.fixture
def together() -> Iterator[Callable[..., list[int]]]:
    """A function that runs another in some processes at once and gives their exit codes."""
    context = multiprocessing.get_context("fork")  # which does not import everything anew
    started = []

    def run(task: Callable[..., None], *arguments: object, count: int = 3) -> list[int]:
        barrier = context.Barrier(count)
        started.extend(context.Process(target=task, args=(barrier, *arguments)) for _ in range(count))
        for process in started:
            process.start()
        for process in started:
            process.join(60)
        return [process.exitcode for process in started]

    yield run
    for process in started:
        process.kill()


def read_when_all_are_there(barrier, name: str, folder: Path) -> None:
    barrier.wait(60)
    read(name, folder)


# Newer versions of Python warn of forks beside threads; the children take no lock that a thread could hold.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", ["HAR", "MNIST"])
def test_processes_that_fill_the_cache_at_once(name: str, site: Site, together):
    site.write(LOADERS[name].files)
    assert together(read_when_all_are_there, name, site.folder) == [0, 0, 0]
    (file,) = cache_folder().iterdir()
    content = file.read_bytes()
    filled = read(name, site.folder)
    assert file.read_bytes() == content
    file.unlink()
    assert equal(filled, read(name, site.folder))
