import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from official import packed

from flt.data import MNIST, FashionMNIST
from flt.data.fetching.download import Unreachable
from flt.data.readers import idx
from flt.data.readers.idx import STEMS, Published, parse_idx, read_idx_images
from flt.errors import InputError
from flt.files import cache_folder

TRAIN, TEST = 30, 20


class Site:
    """A small MNIST as it is published, and a folder for it."""

    def __init__(self, data_dir: Path) -> None:
        draw = np.random.default_rng(0)
        self.arrays = {
            "train_images": draw.integers(256, size=(TRAIN, 28, 28), dtype=np.uint8),
            "train_labels": draw.integers(10, size=TRAIN, dtype=np.uint8),
            "test_images": draw.integers(256, size=(TEST, 28, 28), dtype=np.uint8),
            "test_labels": draw.integers(10, size=TEST, dtype=np.uint8),
        }
        self.files = {f"{STEMS[part]}.gz": gzip.compress(packed(array)) for part, array in self.arrays.items()}
        self.data_dir, self.raw = data_dir, data_dir / "MNIST" / "raw"
        self.mirrors = ("http://127.0.0.1:9/",)
        self.asked = 0

    def write(self) -> None:
        self.raw.mkdir(parents=True)
        for name, content in self.files.items():
            (self.raw / name).write_bytes(content)

    def published(self) -> Published:
        self.asked += 1
        return Published(
            self.mirrors,
            {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in self.files.items()},
        )

    def read(self):
        return read_idx_images("MNIST", self.data_dir, self.published)

    def assert_read(self) -> None:
        images = self.read()
        for part, array in self.arrays.items():
            found = getattr(images, part).numpy()
            assert (found.reshape(array.shape) == array).all()
        assert images.train_images.shape == (TRAIN, 1, 28, 28)
        assert images.train_labels.numpy().dtype == np.int64


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(idx, "NUM_TRAIN", TRAIN)
    monkeypatch.setattr(idx, "NUM_TEST", TEST)
    return Site(tmp_path / "data")


def test_reads_packed_files_and_leaves_the_folder_as_it_is(site: Site):
    site.write()
    site.data_dir.chmod(0o500)
    site.assert_read()
    assert {path.name for path in site.raw.iterdir()} == set(site.files)
    assert len(list(cache_folder().iterdir())) == 1


def test_a_second_run_reads_the_cache(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.write()
    site.assert_read()
    asked = site.asked
    monkeypatch.setattr(idx, "parse_idx", None)
    site.assert_read()
    assert site.asked == asked


def test_reads_unpacked_files(site: Site):
    site.files = {STEMS[part]: packed(array) for part, array in site.arrays.items()}
    site.write()
    site.assert_read()


def test_downloads_what_is_missing(site: Site, server):
    site.write()
    name = "t10k-images-idx3-ubyte.gz"
    (site.raw / name).unlink()
    server.content = site.files[name]
    site.mirrors = ("http://127.0.0.1:9/", server.url.removesuffix("file.zip"))
    site.assert_read()
    assert (site.raw / name).exists()


def test_downloads_below_the_cache_where_the_data_folder_cannot_be_written_to(site: Site, server):
    site.write()
    (site.raw / "t10k-labels-idx1-ubyte.gz").unlink()
    content = site.files["t10k-labels-idx1-ubyte.gz"]
    held = cache_folder() / "MNIST" / "raw"
    held.mkdir(parents=True)
    (held / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    site.assert_read()


def test_neither_files_nor_network(site: Site):
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9/train-images-idx3-ubyte\.gz cannot be reached"):
        site.read()


@pytest.mark.parametrize("fraction", [0, 0.5, 0.99])
def test_a_truncated_file(site: Site, fraction: float):
    site.write()
    path = site.raw / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(
        InputError, match=r"is not the published file \(truncated\?\): delete it and run again"
    ) as error:
        site.read()
    assert str(path) in str(error.value)
    assert path.exists()


def test_a_published_file_that_cannot_be_unpacked(site: Site):
    site.files["train-labels-idx1-ubyte.gz"] = b"not gzip"
    site.write()
    with pytest.raises(InputError, match=r"train-labels-idx1-ubyte\.gz cannot be unpacked: delete it"):
        site.read()


@pytest.mark.parametrize(
    ("part", "array", "message"),
    [
        (
            "train_images",
            np.zeros((29, 28, 28), np.uint8),
            r"an array of shape \[29, 28, 28\] instead of \[30, 28, 28\]",
        ),
        ("test_images", np.zeros((20, 784), np.uint8), r"shape \[20, 784\] instead of \[20, 28, 28\]"),
        ("test_labels", np.zeros((20, 1), np.uint8), r"shape \[20, 1\] instead of \[20\]"),
        ("train_labels", np.full(30, 10, np.uint8), "has the label 10, where labels go from 0 to 9"),
    ],
)
def test_another_data_set(site: Site, part: str, array: np.ndarray, message: str):
    site.files[f"{STEMS[part]}.gz"] = gzip.compress(packed(array))
    site.write()
    with pytest.raises(InputError, match=message):
        site.read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "X is not an IDX file of bytes"),
        (b"\0\0\x08", "X is not an IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "X is not an IDX file of bytes"),
        (b"\0\0\x08\x02\0\0\0\x01", "X is not an IDX file of bytes"),
        (b"\0\0\x08\x01\0\0\0\x03ab", r"X has 2 values instead of 3 \(truncated\?\)"),
        (b"\0\0\x08\x01\0\0\0\x01ab", "X has 2 values instead of 1"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "X has 0 values instead of"),
        (b"\0\0\x08\xff" + b"\xff" * 1020, "X has 0 values instead of"),
    ],
)
def test_damaged_content(content: bytes, message: str):
    with pytest.raises(InputError, match=message):
        parse_idx(content, Path("X"))


@pytest.mark.parametrize(
    ("make", "name", "mean", "counts"),
    [
        (MNIST, "MNIST", 0.1307, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        (FashionMNIST, "Fashion-MNIST", 0.2860, [6000] * 10),
    ],
)
def test_the_real_data(real_image_dir: Path, make, name: str, mean: float, counts: list[int]):
    data = make(data_dir=str(real_image_dir), stand_in="if_unreachable")
    data.setup()
    assert (data.display_name, data.num_clients) == (name, 100)
    clients = data.clients
    assert clients.features.shape == (59_900, 1, 28, 28)
    assert (clients.features.min(), clients.features.max()) == (0, 1)
    assert clients.features.mean() == pytest.approx(mean, abs=2e-4)
    assert (clients.labels.bincount() + data.root.labels.bincount(minlength=10)).tolist() == counts
    assert len(data.test) == 10_000
    first = data.load(0)
    assert first.train.labels[:5].tolist() == ([5, 0, 4, 1, 9] if name == "MNIST" else [9, 0, 0, 3, 0])
