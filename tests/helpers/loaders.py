"""The loaders of all data sets with small good files for each, and the places that these are read from."""

import hashlib
import io
import itertools
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import official
import pytest
import torch
from official import Files

from flt.cli import exit_status
from flt.data import CHMNIST, CIFAR10, HAR, MNIST, Arrays, FashionMNIST, FederatedDataModule, ImageFolder
from flt.data.examples import RawData
from flt.data.readers import chmnist as chmnist_source
from flt.data.readers import cifar10 as cifar10_source
from flt.data.readers import har as har_parse
from flt.data.readers import har_archive as har_source
from flt.data.readers import idx
from flt.data.sets.idx_images import IDXImages

CIFAR, TILES, CSV, ARRAYS = cifar10_source.ARCHIVE, chmnist_source.ARCHIVE, chmnist_source.CSV, "my.npz"


class Loader(NamedTuple):
    """A loader with good files for it."""

    make: Callable[[Path], FederatedDataModule]
    files: Files


LOADERS = {
    "HAR": Loader(lambda folder: HAR(str(folder)), official.har_files()),
    "HAR-folder": Loader(lambda folder: HAR(str(folder)), official.har_folder()),
    "MNIST": Loader(lambda folder: MNIST(str(folder)), official.idx_files("MNIST")),
    "MNIST-unpacked": Loader(lambda folder: MNIST(str(folder)), official.idx_files("MNIST", suffix="")),
    "FashionMNIST": Loader(lambda folder: FashionMNIST(str(folder)), official.idx_files("FashionMNIST")),
    "CIFAR10": Loader(lambda folder: CIFAR10(str(folder)), official.cifar10_files()),
    "CIFAR10-folder": Loader(lambda folder: CIFAR10(str(folder)), official.cifar10_folder()),
    "CHMNIST": Loader(lambda folder: CHMNIST(str(folder)), {TILES: official.zipped(official.tiles())}),
    "CHMNIST-csv": Loader(lambda folder: CHMNIST(str(folder)), {CSV: official.csv(official.chmnist_table()).encode()}),
    "Arrays": Loader(lambda folder: Arrays(str(folder / ARRAYS)), {ARRAYS: official.npz()}),
    "ImageFolder": Loader(lambda folder: ImageFolder(str(folder / "pets")), official.pictures()),
}
CACHED = ["HAR", "MNIST", "FashionMNIST", "CIFAR10", "CHMNIST"]


def covered(faults: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of a data set and a fault: every fault with one or two data sets, every data set with some faults."""
    names, every = itertools.cycle(CACHED), list(faults)
    return [(next(names), fault) for fault in [*every, *every]]


def md5_of(files: Files) -> dict[str, str]:
    """What the site of a data set that consists of these files says about them."""
    return {Path(name).name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in files.items()}


class Site:
    """Where the data sets are published, as far as the loaders know; and the folder they read from."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.url = folder, "http://127.0.0.1:9/"
        self.digests: dict[str, str] = {}
        folder.mkdir()
        self.publish(*(loader.files for loader in LOADERS.values()))
        monkeypatch.setattr(IDXImages, "published", lambda data: idx.Published((self.url,), self.digests))
        monkeypatch.setattr(
            cifar10_source,
            "published",
            lambda: cifar10_source.Published(self.url + CIFAR, self.digests[CIFAR], self.digests),
        )
        sizes = {
            idx: {"NUM_TRAIN": official.NUM_TRAIN, "NUM_TEST": official.NUM_TEST},
            cifar10_source: {"NUM_TRAIN": 5 * official.IMAGES_PER_BATCH, "NUM_TEST": official.IMAGES_PER_BATCH},
            chmnist_source: {"NUM_TILES": official.NUM_TILES},
            har_parse: {"NUM_EXAMPLES": official.HAR_EXAMPLES, "NUM_FEATURES": official.HAR_FEATURES},
        }
        for module, names in sizes.items():
            for name, value in names.items():
                monkeypatch.setattr(module, name, value)
        layout = {
            name: ((official.HAR_EXAMPLES, *shape[1:]), dtype) for name, (shape, dtype) in har_parse.LAYOUT.items()
        }
        layout["features"] = ((official.HAR_EXAMPLES, official.HAR_FEATURES), torch.float32)
        monkeypatch.setattr(har_parse, "LAYOUT", layout)
        self.monkeypatch = monkeypatch

    def publish(self, *sets: Files) -> None:
        """Makes these files the published ones: their checksums are right."""
        for files in sets:
            self.digests |= md5_of(files)
            if files.keys() == {CIFAR}:
                with tarfile.open(fileobj=io.BytesIO(files[CIFAR])) as archive:
                    members = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
                    self.digests |= md5_of({name: file.read() for name, file in members.items() if file})

    def serve(self, url: str) -> None:
        """Has the files downloaded from there."""
        self.url = url.removesuffix("file.zip")
        self.monkeypatch.setattr(har_source, "URL", url)
        self.monkeypatch.setattr(chmnist_source, "URLS", (url,))
        self.monkeypatch.setattr(chmnist_source, "SHA256", hashlib.sha256(LOADERS["CHMNIST"].files[TILES]).hexdigest())

    def write(self, files: Files) -> None:
        """Writes files into the folder."""
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)


def content_of(folder: Path) -> dict[str, bytes | str | None]:
    """Everything below a folder by its path there: content of files, where links lead, None for folders."""

    def content(path: Path) -> bytes | str | None:
        return os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None

    return {str(path.relative_to(folder)): content(path) for path in sorted(folder.rglob("*"))}


def equal(first: RawData, second: RawData) -> bool:
    """Whether both hold the same examples."""
    pairs = [(first.train, second.train), (first.test, second.test)]
    return all(torch.equal(a.features, b.features) and torch.equal(a.labels, b.labels) for a, b in pairs)


def read(name: str, folder: Path) -> RawData:
    """What a loader makes of a folder."""
    return LOADERS[name].make(folder).load(0)


def fails_in_one_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says of a folder that cannot be read: one line, and its exit status is 2."""

    def load() -> None:
        read(name, folder)

    assert exit_status.exit_status(load) == 2
    said = capsys.readouterr().err
    assert said.startswith("flt: error: ")
    assert said.count("\n") == 1
    return said
