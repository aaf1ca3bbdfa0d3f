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


class Fault(NamedTuple):
    """A fault that must end in one line.

    ``message`` is what the line holds between the file and the remedy. ``is_published`` makes the checksums right, so
    that what lies behind them is tested too.
    """

    loader: str
    change: Change
    file: str
    message: str
    remedy: str
    is_published: bool = False


AGAIN = "delete it and run again to download it, or put"
TILES_AGAIN = f"delete it to have {TILES} downloaded, or put a good copy in its place"
RESTORE = "or move it away to have that downloaded"
UNREADABLE = r"is not a readable zip archive \(truncated\?\)"
NOT_PUBLISHED = r"is not the published file \(truncated\?\)"

FAULTS = {
    "HAR-truncated": Fault("HAR", cut(HAR_ZIP), HAR_ZIP, UNREADABLE, AGAIN),
    "HAR-missing-file": Fault("HAR", rezip(HAR_ZIP, without(HAR_X)), HAR_ZIP, "has no file train/X_train.txt", AGAIN),
    "HAR-file-twice": Fault(
        "HAR", rezip(HAR_ZIP, twice(HAR_X, b"0.1")), HAR_ZIP, "has the file train/X_train.txt twice", AGAIN
    ),
    "HAR-bomb": Fault(
        "HAR", declared(HAR_ZIP, HAR_X, 3 << 30), HAR_ZIP, "has a file train/X_train.txt of 3072 MiB, far too", AGAIN
    ),
    "HAR-bomb-that-lies": Fault("HAR", declared(HAR_ZIP, HAR_X, 100), HAR_ZIP, UNREADABLE, AGAIN),
    "HAR-a-folder-in-its-place": Fault(
        "HAR", lambda _: {f"{HAR_ZIP}/x": b""}, HAR_ZIP, "cannot be read", "restore|move it away"
    ),
    "HAR-missing": Fault("HAR", without(HAR_ZIP), "", "cannot be reached", f"copy '{HAR_ZIP}' to data_dir"),
    "HAR-folder-truncated": Fault("HAR-folder", cut(HAR_X), HAR_X.replace("set/", "set: "), "", RESTORE),
    "HAR-folder-broken-beside-archive": Fault(
        "HAR-folder", lambda files: without(HAR_X)(files) | har_files(), HAR_X, "cannot be read", RESTORE
    ),
    "MNIST-bit-flipped": Fault("MNIST", flip(IMAGES), IMAGES, NOT_PUBLISHED, AGAIN),
    "MNIST-label-out-of-range": Fault(
        "MNIST",
        lambda _: idx_files("MNIST", train_labels=np.full(official.NUM_TRAIN, 10, np.uint8)),
        LABELS,
        "has the label 10, where labels go from 0 to 9",
        AGAIN,
        is_published=True,
    ),
    "MNIST-missing": Fault("MNIST", without(IMAGES), "", "cannot be reached", r"copy the four official \.gz files to"),
    "MNIST-packed-broken-beside-unpacked": Fault(
        "MNIST", lambda files: cut(IMAGES)(files) | idx_files("MNIST", suffix=""), IMAGES, NOT_PUBLISHED, AGAIN
    ),
    "MNIST-unpacked-truncated": Fault("MNIST-unpacked", cut(PLAIN_IMAGES), PLAIN_IMAGES, NOT_PUBLISHED, AGAIN),
    "FashionMNIST-is-MNIST": Fault(
        "FashionMNIST",
        lambda _: as_fashion(idx_files("MNIST", test_labels=np.zeros(10, np.uint8))),
        FASHION_LABELS,
        NOT_PUBLISHED,
        AGAIN,
    ),
    "CIFAR10-truncated": Fault("CIFAR10", cut(CIFAR), CIFAR, r"is not a readable archive \(truncated\?\)", AGAIN),
    "CIFAR10-wrong-shape": Fault(
        "CIFAR10",
        rebatch(BATCH, official.cifar10_batch(CIFAR_IMAGES[:, 1:], [1] * 8)),
        CIFAR,
        r"data_batch_2 has no images and labels \(cannot reshape",
        AGAIN,
        is_published=True,
    ),
    "CIFAR10-too-few": Fault(
        "CIFAR10",
        rebatch(BATCH, official.cifar10_batch(CIFAR_IMAGES[1:], [1] * 7)),
        CIFAR,
        "has not 40 training and 8 test images",
        AGAIN,
        is_published=True,
    ),
    "CIFAR10-wrong-dtype": Fault(
        "CIFAR10",
        rebatch(BATCH, official.cifar10_batch(CIFAR_IMAGES.view(np.int8), [1] * 8)),
        CIFAR,
        "data_batch_2 has not one label from 0 to 9 for each image",
        AGAIN,
        is_published=True,
    ),
    "CIFAR10-label-out-of-range": Fault(
        "CIFAR10",
        rebatch(BATCH, official.cifar10_batch(CIFAR_IMAGES, [10] * 8)),
        CIFAR,
        "data_batch_2 has not one label from 0 to 9 for each image",
        AGAIN,
        is_published=True,
    ),
    "CIFAR10-file-twice": Fault(
        "CIFAR10",
        lambda _: {CIFAR: tarred([*official.cifar10_folder().items(), (BATCH, b"another")])},
        CIFAR,
        "data_batch_2 is not the published file",
        AGAIN,
    ),
    "CIFAR10-bomb": Fault(
        "CIFAR10",
        retar((entry("zeros", size=5 << 30), b"")),
        CIFAR,
        "has a file zeros of 5120 MiB, far too large",
        AGAIN,
    ),
    "CIFAR10-symlink": Fault(
        "CIFAR10",
        retar((entry(BATCH, tarfile.SYMTYPE, "/etc/passwd"), b""), leave_out=BATCH),
        CIFAR,
        "has no file data_batch_2",
        AGAIN,
    ),
    "CIFAR10-missing": Fault("CIFAR10", without(CIFAR), "", "cannot be reached", f"copy '{CIFAR}' to data_dir"),
    "CIFAR10-folder-missing-file": Fault("CIFAR10-folder", without(BATCH), BATCH, "cannot be read", "move it away"),
    "CIFAR10-folder-broken-beside-archive": Fault(
        "CIFAR10-folder",
        lambda files: flip(BATCH)(files) | official.cifar10_files(),
        "data_batch_2",
        NOT_PUBLISHED,
        RESTORE,
    ),
    "CHMNIST-bit-flipped": Fault("CHMNIST", flip(TILES, 0.3), TILES, "is not a readable", TILES_AGAIN),
    "CHMNIST-wrong-shape": Fault(
        "CHMNIST",
        rezip(TILES, put(TILE, official.tiff(np.zeros((150, 149, 3), np.uint8)))),
        TILES,
        "0_CRC.* has 149x150 pixels, not 150x150",
        TILES_AGAIN,
    ),
    "CHMNIST-wrong-dtype": Fault(
        "CHMNIST",
        rezip(TILES, put(TILE, official.tiff(np.zeros((150, 150), np.uint16)))),
        TILES,
        "0_CRC.* has pixels of mode I;16, not RGB",
        TILES_AGAIN,
    ),
    "CHMNIST-of-no-class": Fault(
        "CHMNIST",
        rezip(TILES, lambda files: {name.replace("08_EMPTY", "09_OTHER"): data for name, data in files.items()}),
        TILES,
        "has 21 tiles instead of 24",
        TILES_AGAIN,
    ),
    "CHMNIST-tile-twice-for-another": Fault(
        "CHMNIST",
        rezip(TILES, lambda files: [*list(without(TILE)(files).items()), list(files.items())[-1]]),
        TILES,
        "has the file .* twice",
        TILES_AGAIN,
    ),
    "CHMNIST-bomb": Fault("CHMNIST", declared(TILES, TILE, 1 << 31), TILES, "is far too large for a tile", TILES_AGAIN),
    "CHMNIST-bomb-of-pixels": Fault(
        "CHMNIST",
        rezip(TILES, put(TILE, tiff_of(1 << 31))),
        TILES,
        "0_CRC.* is not a readable TIFF image",
        TILES_AGAIN,
    ),
    "CHMNIST-missing": Fault("CHMNIST", without(TILES), "", "cannot be reached", f"copy '{CSV}' or '{TILES}' to"),
    "CHMNIST-csv-wrong-dtype": Fault(
        "CHMNIST-csv", put(CSV, changed_csv(5, 256)), CSV, "line 5 has 256 in column 6, where values are", TILES_AGAIN
    ),
    "CHMNIST-csv-label-out-of-range": Fault(
        "CHMNIST-csv", put(CSV, changed_csv(-1, 9)), CSV, r"has the classes .*9\], not 1 to 8", TILES_AGAIN
    ),
    "CHMNIST-csv-broken-beside-archive": Fault(
        "CHMNIST-csv",
        lambda files: cut(CSV)(files) | LOADERS["CHMNIST"].files,
        CSV,
        "values instead of 4097",
        TILES_AGAIN,
    ),
    "Arrays-bit-flipped": Fault("Arrays", flip(ARRAYS, 0.1), ARRAYS, "x_train cannot be read", "store it as an array"),
    "Arrays-missing": Fault("Arrays", without(ARRAYS), ARRAYS, "there is no such file", "write it with numpy.savez"),
    "Arrays-array-twice": Fault(
        "Arrays", rezip(ARRAYS, twice("y_train.npy", b"")), ARRAYS, "has the array y_train twice", "write the file anew"
    ),
    "Arrays-of-objects": Fault(
        "Arrays",
        put(ARRAYS, npz(x_train=np.array([Writes(Path("ran"))] * 20))),
        ARRAYS,
        r"x_train cannot be read \(it holds Python objects\)",
        "store it as an array of plain numbers",
    ),
    "Arrays-bomb": Fault(
        "Arrays",
        rezip(ARRAYS, put("x_train.npy", npy_header("(1000000000, 1000000000)"))),
        ARRAYS,
        "x_train cannot be read",
        "store it as an array",
    ),
    "ImageFolder-wrong-dtype": Fault(
        "ImageFolder",
        put(PICTURE, picture(np.zeros((8, 9), np.uint16))),
        PICTURE,
        "has pixels of more than 8 bits",
        "convert it to 8 bits",
    ),
    "ImageFolder-bomb": Fault("ImageFolder", put(PICTURE, bomb_png()), PICTURE, "is not a readable image", "replace"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, site: Site, capsys: pytest.CaptureFixture[str]):
    fault = FAULTS[name]
    files = fault.change(LOADERS[fault.loader].files)
    if fault.is_published:
        site.publish(files)
    site.write(files)
    before = content_of(site.folder)
    said = fails_in_one_line(fault.loader, site.folder, capsys)
    assert re.search(f"{fault.file}.*{fault.message}.*({fault.remedy})", said), said
    assert content_of(site.folder) == before
    assert not list(cache_folder().rglob("*.pt*"))


SURVIVED: dict[str, tuple[str, Change]] = {
    "HAR-folder-beside-broken-archive": ("HAR-folder", put(HAR_ZIP, b"broken")),
    "HAR-parent-path": ("HAR", rezip(HAR_ZIP, twice("../escaped.txt", b"x"))),
    "HAR-all-files-by-parent-paths": (
        "HAR",
        rezip(HAR_ZIP, lambda files: {f"../../{name}": content for name, content in files.items()}),
    ),
    "MNIST-packed-beside-broken-unpacked": ("MNIST", put(PLAIN_IMAGES, b"broken")),
    "CIFAR10-parent-path": ("CIFAR10", retar(("../escaped.txt", b"x"))),
    "CIFAR10-batch-by-parent-path": (
        "CIFAR10",
        retar((f"../../{BATCH}", official.cifar10_folder()[BATCH]), leave_out=BATCH),
    ),
    "CIFAR10-further-symlink": ("CIFAR10", retar((entry("link", tarfile.SYMTYPE, "/etc"), b""), ("link/x", b"x"))),
    "CIFAR10-link-in-place-of-a-second-batch": ("CIFAR10", retar((entry(BATCH, tarfile.SYMTYPE, BATCH), b""))),
    "CHMNIST-csv-beside-archive": ("CHMNIST-csv", put(TILES, b"broken")),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_what_lies_beside_does_no_harm(name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    loader, change = SURVIVED[name]
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
