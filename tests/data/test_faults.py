"""Every loader under every fault of its files: one line names file, problem and remedy; nothing is changed."""

import os
import pickle
import re
import shutil
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import official
import pytest
from damage import (
    Change,
    Writes,
    bomb_png,
    cut,
    declared,
    entry,
    flip,
    npy_header,
    put,
    rebatch,
    retar,
    rezip,
    tiff_of,
    twice,
    without,
)
from loaders import ARRAYS, CIFAR, CSV, LOADERS, TILES, Site, content_of, equal, fails_in_one_line, read
from official import har_files, idx_files, npz, picture, tarred

from flt.data.readers import chmnist as chmnist_source
from flt.data.readers import cifar10 as cifar10_source
from flt.data.readers import har_archive as har_source
from flt.files import cache_folder

IMAGES, LABELS = (f"MNIST/raw/train-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1"))
PLAIN_IMAGES = IMAGES.removesuffix(".gz")
FASHION_LABELS = "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz"
BATCH = f"{cifar10_source.FOLDER}/data_batch_2"
TILE = next(name for name in official.tiles() if "/0_CRC" in name)
HAR_ZIP, HAR_X = har_source.ARCHIVE, f"{har_source.FOLDER}/train/X_train.txt"
PICTURE = "pets/train/cat/1.png"
CIFAR_IMAGES = official.cifar10_arrays()[0][1]
CSV_TABLE = official.chmnist_table()


def changed_csv(column: int, value: int) -> bytes:
    table = CSV_TABLE.copy()
    table[3, column] = value
    return official.csv(table).encode()


def as_fashion(files: official.Files) -> official.Files:
    return {name.replace("MNIST", "FashionMNIST"): content for name, content in files.items()}


def batch(images: np.ndarray, labels: list[int]) -> Change:
    return rebatch(BATCH, official.cifar10_batch(images, labels))


def tile(pixels: np.ndarray) -> Change:
    return rezip(TILES, put(TILE, official.tiff(pixels)))


def loader_of(name: str) -> str:
    """The loader that the name of a fault begins with."""
    return max((loader for loader in LOADERS if name.startswith(loader)), key=len)


class Fault(NamedTuple):
    """A fault that must end in one line.

    ``message`` is what the line holds between file and remedy, which are as `EXPECTED` unless told otherwise.
    ``is_published`` makes the checksums right, so that what lies behind them is tested too.
    """

    change: Change
    message: str
    file: str | None = None
    remedy: str | None = None
    is_published: bool = False


AGAIN = "delete it and run again to download it, or put"
TILES_AGAIN = f"delete it to have {TILES} downloaded, or put a good copy in its place"
RESTORE = "or move it away to have that downloaded"
UNREADABLE = r"is not a readable zip archive \(truncated\?\)"
NOT_PUBLISHED = r"is not the published file \(truncated\?\)"

EXPECTED = {  # the file that is named and the remedy, by loader
    "HAR": (HAR_ZIP, AGAIN),
    "HAR-folder": (HAR_X, RESTORE),
    "MNIST": (IMAGES, AGAIN),
    "MNIST-unpacked": (PLAIN_IMAGES, AGAIN),
    "FashionMNIST": (FASHION_LABELS, AGAIN),
    "CIFAR10": (CIFAR, AGAIN),
    "CIFAR10-folder": ("data_batch_2", RESTORE),
    "CHMNIST": (TILES, TILES_AGAIN),
    "CHMNIST-csv": (CSV, TILES_AGAIN),
    "Arrays": (ARRAYS, "store it as an array"),
    "ImageFolder": (PICTURE, "replace it"),
}

FAULTS = {
    "HAR-truncated": Fault(cut(HAR_ZIP), UNREADABLE),
    "HAR-missing-file": Fault(rezip(HAR_ZIP, without(HAR_X)), "has no file train/X_train.txt"),
    "HAR-file-twice": Fault(rezip(HAR_ZIP, twice(HAR_X, b"0.1")), "has the file train/X_train.txt twice"),
    "HAR-bomb": Fault(declared(HAR_ZIP, HAR_X, 3 << 30), "of 3072 MiB, far too"),
    "HAR-bomb-that-lies": Fault(declared(HAR_ZIP, HAR_X, 100), UNREADABLE),
    "HAR-a-folder-in-its-place": Fault(
        lambda _: {f"{HAR_ZIP}/x": b""}, "cannot be read", remedy="restore|move it away"
    ),
    "HAR-missing": Fault(without(HAR_ZIP), "cannot be reached", file="", remedy=f"copy '{HAR_ZIP}' to data.data_dir"),
    "HAR-folder-truncated": Fault(cut(HAR_X), "", file=HAR_X.replace("set/", "set: ")),
    "HAR-folder-broken-beside-archive": Fault(lambda files: without(HAR_X)(files) | har_files(), "cannot be read"),
    "MNIST-bit-flipped": Fault(flip(IMAGES), NOT_PUBLISHED),
    "MNIST-wrong-shape": Fault(
        lambda _: idx_files("MNIST", test_labels=np.zeros((10, 1), np.uint8)),
        r"t10k-labels.* shape \[10, 1\] instead of \[10\]",
        file="",
        is_published=True,
    ),
    "MNIST-not-packed": Fault(put(IMAGES, b"not gzip"), "cannot be unpacked", is_published=True),
    "MNIST-label-out-of-range": Fault(
        lambda _: idx_files("MNIST", train_labels=np.full(official.NUM_TRAIN, 10, np.uint8)),
        "has the label 10",
        file=LABELS,
        is_published=True,
    ),
    "MNIST-missing": Fault(
        without(IMAGES), "cannot be reached", file="", remedy=r"copy the four official \.gz files to"
    ),
    "MNIST-packed-broken-beside-unpacked": Fault(
        lambda files: cut(IMAGES)(files) | idx_files("MNIST", suffix=""), NOT_PUBLISHED
    ),
    "MNIST-unpacked-truncated": Fault(cut(PLAIN_IMAGES), NOT_PUBLISHED),
    "FashionMNIST-is-MNIST": Fault(
        lambda _: as_fashion(idx_files("MNIST", test_labels=np.zeros(10, np.uint8))), NOT_PUBLISHED
    ),
    "CIFAR10-truncated": Fault(cut(CIFAR), r"is not a readable archive \(truncated\?\)"),
    "CIFAR10-wrong-shape": Fault(
        batch(CIFAR_IMAGES[:, 1:], [1] * 8),
        r"data_batch_2 has no images and labels \(cannot reshape",
        is_published=True,
    ),
    "CIFAR10-too-few": Fault(
        batch(CIFAR_IMAGES[1:], [1] * 7), "has not 40 training and 8 test images", is_published=True
    ),
    "CIFAR10-wrong-dtype": Fault(
        batch(CIFAR_IMAGES.view(np.int8), [1] * 8), "has not one label from 0 to 9 for each image", is_published=True
    ),
    "CIFAR10-label-out-of-range": Fault(
        batch(CIFAR_IMAGES, [10] * 8), "has not one label from 0 to 9 for each image", is_published=True
    ),
    "CIFAR10-file-twice": Fault(
        lambda _: {CIFAR: tarred([*official.cifar10_folder().items(), (BATCH, b"another")])},
        "data_batch_2 is not the published file",
    ),
    "CIFAR10-bomb": Fault(retar((entry("zeros", size=5 << 30), b"")), "of 5120 MiB, far too large"),
    "CIFAR10-symlink": Fault(
        retar((entry(BATCH, tarfile.SYMTYPE, "/etc/passwd"), b""), leave_out=BATCH), "has no file data_batch_2"
    ),
    "CIFAR10-missing": Fault(without(CIFAR), "cannot be reached", file="", remedy=f"copy '{CIFAR}' to data.data_dir"),
    "CIFAR10-folder-missing-file": Fault(without(BATCH), "cannot be read", file=BATCH, remedy="move it away"),
    "CIFAR10-folder-broken-beside-archive": Fault(
        lambda files: flip(BATCH)(files) | official.cifar10_files(), NOT_PUBLISHED
    ),
    "CHMNIST-truncated": Fault(cut(TILES), UNREADABLE),
    "CHMNIST-bit-flipped": Fault(flip(TILES, 0.3), "is not a readable"),
    "CHMNIST-tile-no-image": Fault(rezip(TILES, put(TILE, b"no image")), "0_CRC.* is not a readable TIFF image"),
    "CHMNIST-tile-truncated": Fault(rezip(TILES, cut(TILE)), "0_CRC.* is not a readable TIFF image"),
    "CHMNIST-csv-too-few": Fault(put(CSV, official.csv(CSV_TABLE[:-1]).encode()), "has 23 tiles instead of 24"),
    "CHMNIST-csv-not-whole": Fault(put(CSV, official.csv(CSV_TABLE + 0.5).encode()), "line 2 has .* values are whole"),
    "CHMNIST-wrong-shape": Fault(tile(np.zeros((150, 149, 3), np.uint8)), "0_CRC.* has 149x150 pixels, not 150x150"),
    "CHMNIST-wrong-dtype": Fault(tile(np.zeros((150, 150), np.uint16)), "0_CRC.* has pixels of mode I;16, not RGB"),
    "CHMNIST-of-no-class": Fault(
        rezip(TILES, lambda files: {name.replace("08_EMPTY", "09_OTHER"): data for name, data in files.items()}),
        "has 21 tiles instead of 24",
    ),
    "CHMNIST-tile-twice-for-another": Fault(
        rezip(TILES, lambda files: [*list(without(TILE)(files).items()), list(files.items())[-1]]),
        "has the file .* twice",
    ),
    "CHMNIST-bomb": Fault(declared(TILES, TILE, 1 << 31), "is far too large for a tile"),
    "CHMNIST-bomb-of-pixels": Fault(rezip(TILES, put(TILE, tiff_of(1 << 31))), "0_CRC.* is not a readable TIFF image"),
    "CHMNIST-missing": Fault(without(TILES), "cannot be reached", file="", remedy=f"copy '{CSV}' or '{TILES}' to"),
    "CHMNIST-csv-wrong-dtype": Fault(put(CSV, changed_csv(5, 256)), "line 5 has 256 in column 6, where values are"),
    "CHMNIST-csv-label-out-of-range": Fault(put(CSV, changed_csv(-1, 9)), r"has the classes .*9\], not 1 to 8"),
    "CHMNIST-csv-broken-beside-archive": Fault(
        lambda files: cut(CSV)(files) | LOADERS["CHMNIST"].files, "values instead of 4097"
    ),
    "Arrays-bit-flipped": Fault(flip(ARRAYS, 0.1), "x_train cannot be read"),
    "Arrays-missing": Fault(without(ARRAYS), "there is no such file", remedy="write it with numpy.savez"),
    "Arrays-array-twice": Fault(
        rezip(ARRAYS, twice("y_train.npy", b"")), "has the array y_train twice", remedy="write the file anew"
    ),
    "Arrays-of-objects": Fault(
        put(ARRAYS, npz(x_train=np.array([Writes(Path("ran"))] * 20))),
        r"x_train cannot be read \(it holds Python objects\)",
        remedy="store it as an array of plain numbers",
    ),
    "Arrays-bomb": Fault(
        rezip(ARRAYS, put("x_train.npy", npy_header("(1000000000, 1000000000)"))), "x_train cannot be read"
    ),
    "ImageFolder-wrong-dtype": Fault(
        put(PICTURE, picture(np.zeros((8, 9), np.uint16))),
        "has pixels of more than 8 bits",
        remedy="convert it to 8 bits",
    ),
    "ImageFolder-bomb": Fault(put(PICTURE, bomb_png()), "is not a readable image", remedy="replace"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, site: Site, capsys: pytest.CaptureFixture[str]):
    fault, loader = FAULTS[name], loader_of(name)
    files = fault.change(LOADERS[loader].files)
    if fault.is_published:
        site.publish(files)
    site.write(files)
    before = content_of(site.folder)
    said = fails_in_one_line(loader, site.folder, capsys)
    file, remedy = EXPECTED[loader]
    file, remedy = file if fault.file is None else fault.file, fault.remedy or remedy
    assert re.search(f"{file}.*{fault.message}.*({remedy})", said), said
    assert content_of(site.folder) == before
    assert not list(cache_folder().rglob("*.pt*"))


SURVIVED: dict[str, Change] = {
    "HAR-folder-beside-broken-archive": put(HAR_ZIP, b"broken"),
    "HAR-parent-path": rezip(HAR_ZIP, twice("../escaped.txt", b"x")),
    "HAR-all-files-by-parent-paths": rezip(
        HAR_ZIP, lambda files: {f"../../{name}": content for name, content in files.items()}
    ),
    "MNIST-packed-beside-broken-unpacked": put(PLAIN_IMAGES, b"broken"),
    "CIFAR10-parent-path": retar(("../escaped.txt", b"x")),
    "CIFAR10-batch-by-parent-path": retar((f"../../{BATCH}", official.cifar10_folder()[BATCH]), leave_out=BATCH),
    "CIFAR10-further-symlink": retar((entry("link", tarfile.SYMTYPE, "/etc"), b""), ("link/x", b"x")),
    "CIFAR10-link-in-place-of-a-second-batch": retar((entry(BATCH, tarfile.SYMTYPE, BATCH), b"")),
    "CHMNIST-csv-beside-archive": put(TILES, b"broken"),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_what_lies_beside_does_no_harm(name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    loader, change = loader_of(name), SURVIVED[name]
    site.write(LOADERS[loader].files)
    expected = read(loader, site.folder)
    shutil.rmtree(site.folder)
    site.write(change(LOADERS[loader].files))
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "other" / "cache"))
    before = content_of(tmp_path)
    assert equal(read(loader, site.folder), expected)
    after = {path: content for path, content in content_of(tmp_path).items() if not path.startswith("other")}
    assert after == before


@pytest.mark.parametrize("link", ["nowhere", "1.png"])
def test_links_that_lead_nowhere(link: str, site: Site, capsys: pytest.CaptureFixture[str]):
    site.write(without(PICTURE)(LOADERS["ImageFolder"].files))
    (site.folder / PICTURE).symlink_to(link)
    said = fails_in_one_line("ImageFolder", site.folder, capsys)
    assert re.search(rf"{PICTURE} is no image file .*: move it away", said)
    assert (site.folder / PICTURE).is_symlink()


@pytest.mark.parametrize(
    ("loader", "name", "limit"),
    [
        ("HAR-folder", HAR_X, (har_source, "MAX_MEMBER_BYTES")),
        ("CIFAR10-folder", BATCH, (cifar10_source, "MAX_MEMBER_BYTES")),
        ("CHMNIST-csv", CSV, (chmnist_source, "MAX_CSV_BYTES")),
    ],
)
def test_absurdly_large_files(loader: str, name: str, limit, site: Site, monkeypatch, capsys):
    monkeypatch.setattr(*limit, 1 << 20)
    site.write(LOADERS[loader].files)
    os.truncate(site.folder / name, 2 << 20)
    said = fails_in_one_line(loader, site.folder, capsys)
    assert re.search(rf"{name} has more than 1 MiB, far too large: (restore|delete)", said)


def test_a_pickle_with_a_forbidden_class_does_nothing(site: Site, tmp_path: Path, capsys):
    files = rebatch(BATCH, pickle.dumps(Writes(tmp_path / "ran")))({})
    site.publish(files)
    site.write(files)
    assert "it asks for io.open" in fails_in_one_line("CIFAR10", site.folder, capsys)
    assert not (tmp_path / "ran").exists()
