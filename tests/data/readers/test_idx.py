from pathlib import Path

import numpy as np
import official
import pytest
from loaders import Site

from flt.data import MNIST, FashionMNIST
from flt.data.readers import idx
from flt.data.readers.idx import Published, parse_idx, read_idx_images
from flt.errors import InputError
from flt.files import cache_folder

RAW = "MNIST/raw"


def published(site: Site) -> Published:
    return Published((site.url,), site.digests)


def assert_read(site: Site) -> None:
    images = read_idx_images("MNIST", site.folder, lambda: published(site))
    for part, array in official.idx_arrays().items():
        found = getattr(images, part).numpy()
        assert (found.reshape(array.shape) == array).all()
    assert images.train_images.shape == (official.NUM_TRAIN, 1, 28, 28)
    assert images.train_labels.numpy().dtype == np.int64


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_reads_packed_and_unpacked_files_and_leaves_the_folder_as_it_is(suffix: str, site: Site, monkeypatch):
    files = official.idx_files("MNIST", suffix=suffix)
    site.write(files)
    site.folder.chmod(0o500)
    assert_read(site)
    assert {f"{RAW}/{path.name}" for path in (site.folder / RAW).iterdir()} == set(files)
    assert len(list(cache_folder().iterdir())) == 1
    monkeypatch.setattr(idx, "parse_idx", None)
    assert_read(site)  # from the cache


def test_finds_an_earlier_download_below_the_cache(site: Site):
    site.write(official.idx_files("MNIST"))
    held = cache_folder() / RAW
    held.mkdir(parents=True)
    name = "t10k-labels-idx1-ubyte.gz"
    (site.folder / RAW / name).rename(held / name)
    assert_read(site)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "X is not an IDX file of bytes"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "X is not an IDX file of bytes"),
        (b"\0\0\x08\x02\0\0\0\x01", "X is not an IDX file of bytes"),
        (b"\0\0\x08\x01\0\0\0\x03ab", r"X has 2 values instead of 3 \(truncated\?\)"),
        (b"\0\0\x08\x01\0\0\0\x01ab", "X has 2 values instead of 1"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "X has 0 values instead of"),
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
def test_the_real_data(real_data_dir: Path, make, name: str, mean: float, counts: list[int]):
    data = make(data_dir=str(real_data_dir), stand_in="if_unreachable")
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
