import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from official import IMAGES_PER_BATCH as PER_BATCH
from official import cifar10_batch as official_batch

from flt.data.fetching.download import Unreachable
from flt.data.readers import cifar10 as cifar10_source
from flt.data.readers.cifar10 import ARCHIVE, BATCHES, FOLDER, Published, published, read_cifar10
from flt.errors import InputError
from flt.files import cache_folder


class Site:
    """A small CIFAR-10 as it is published, and a folder for it."""

    def __init__(self, data_dir: Path) -> None:
        draw = np.random.default_rng(0)
        self.images = draw.integers(256, size=(6, PER_BATCH, 3072), dtype=np.uint8)
        self.labels = draw.integers(10, size=(6, PER_BATCH))
        self.batches = {
            name: official_batch(images, labels.tolist())
            for name, images, labels in zip(BATCHES, self.images, self.labels, strict=True)
        }
        self.data_dir = data_dir
        self.data_dir.mkdir()
        self.url = "http://127.0.0.1:9/cifar-10-python.tar.gz"

    def archive(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in [*self.batches.items(), ("readme.html", b"")]:
                member = tarfile.TarInfo(f"{FOLDER}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def write_archive(self) -> Path:
        path = self.data_dir / ARCHIVE
        path.write_bytes(self.archive())
        return path

    def write_folder(self) -> Path:
        folder = self.data_dir / FOLDER
        folder.mkdir()
        for name, content in self.batches.items():
            (folder / name).write_bytes(content)
        return folder

    def published(self) -> Published:
        md5 = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in self.batches.items()}
        return Published(self.url, hashlib.md5(self.archive(), usedforsecurity=False).hexdigest(), md5)

    def assert_read(self) -> None:
        images = read_cifar10(self.data_dir)
        assert (images.train_images.flatten(1).numpy() == self.images[:5].reshape(-1, 3072)).all()
        assert images.train_labels.tolist() == self.labels[:5].flatten().tolist()
        assert (images.test_images.flatten(1).numpy() == self.images[5]).all()
        assert images.test_labels.tolist() == self.labels[5].tolist()
        assert images.test_images.shape == (PER_BATCH, 3, 32, 32)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(cifar10_source, "NUM_TRAIN", 5 * PER_BATCH)
    monkeypatch.setattr(cifar10_source, "NUM_TEST", PER_BATCH)
    site = Site(tmp_path / "data")
    monkeypatch.setattr(cifar10_source, "published", site.published)
    return site


def test_reads_the_folder(site: Site):
    site.write_folder()
    site.assert_read()


def test_reads_the_archive_and_unpacks_nothing(site: Site):
    site.write_archive()
    site.assert_read()
    assert [path.name for path in site.data_dir.iterdir()] == [ARCHIVE]


def test_a_second_run_reads_the_cache(site: Site, monkeypatch: pytest.MonkeyPatch):
    site.write_archive()
    site.assert_read()
    monkeypatch.setattr(cifar10_source, "published", None)
    site.assert_read()


def test_downloads_the_archive(site: Site, server, monkeypatch: pytest.MonkeyPatch):
    server.content = site.archive()
    site.url = server.url
    md5 = site.published()._replace(archive_md5=hashlib.md5(server.content, usedforsecurity=False).hexdigest())
    monkeypatch.setattr(cifar10_source, "published", lambda: md5)
    site.assert_read()
    assert (site.data_dir / ARCHIVE).exists()


def test_finds_an_earlier_download_in_the_cache(site: Site):
    path = site.write_archive()
    cache_folder().mkdir()
    path.rename(cache_folder() / ARCHIVE)
    site.assert_read()


def test_neither_files_nor_network(site: Site):
    with pytest.raises(Unreachable, match=r"cifar-10-python\.tar\.gz cannot be reached"):
        read_cifar10(site.data_dir)


class Exploit:
    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_what_is_not_published_is_never_unpickled(site: Site, name: str, monkeypatch: pytest.MonkeyPatch):
    good = site.published()
    monkeypatch.setattr(cifar10_source, "published", lambda: good)
    site.batches[name] = pickle.dumps(Exploit())
    site.write_folder()
    with pytest.raises(InputError, match=rf"{name} is not the published file .*: restore .* or move it away to have"):
        read_cifar10(site.data_dir)


def test_a_file_missing_from_the_folder(site: Site):
    (site.write_folder() / "data_batch_2").unlink()
    with pytest.raises(InputError, match=r"data_batch_2 cannot be read \(No such file"):
        read_cifar10(site.data_dir)


def test_a_file_missing_from_the_archive(site: Site):
    del site.batches["data_batch_4"]
    site.write_archive()
    with pytest.raises(InputError, match=rf"{ARCHIVE} has no file data_batch_4: delete it and run again"):
        read_cifar10(site.data_dir)


@pytest.mark.parametrize("fraction", [0, 0.3, 0.95])
def test_a_truncated_archive(site: Site, fraction: float):
    path = site.write_archive()
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(InputError, match=rf"{ARCHIVE} (is not a readable archive|has no file)"):
        read_cifar10(site.data_dir)


def test_labels_out_of_range_or_too_few(site: Site):
    site.batches["data_batch_1"] = official_batch(site.images[0], [10] * PER_BATCH)
    site.write_archive()
    with pytest.raises(InputError, match="data_batch_1 has not one label from 0 to 9 for each image"):
        read_cifar10(site.data_dir)


def test_another_number_of_images(site: Site):
    site.batches["data_batch_1"] = official_batch(site.images[0][:3], [1, 2, 3])
    site.write_archive()
    with pytest.raises(InputError, match="has not 40 training and 8 test images"):
        read_cifar10(site.data_dir)


def test_torchvision_knows_where_it_is():
    official = published()
    assert official.url.endswith(ARCHIVE)
    assert set(official.batch_md5) == set(BATCHES)
