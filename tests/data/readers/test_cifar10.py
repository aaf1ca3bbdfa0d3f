import official
import pytest
from loaders import CIFAR, Site

from flt.data.readers import cifar10 as cifar10_source
from flt.data.readers.cifar10 import BATCHES, published, read_cifar10
from flt.files import cache_folder


def assert_read(site: Site) -> None:
    found, (images, labels) = read_cifar10(site.folder), official.cifar10_arrays()
    assert (found.train_images.flatten(1).numpy() == images[:5].reshape(-1, 3072)).all()
    assert found.train_labels.tolist() == labels[:5].flatten().tolist()
    assert (found.test_images.flatten(1).numpy() == images[5]).all()
    assert found.test_labels.tolist() == labels[5].tolist()
    assert found.test_images.shape == (official.IMAGES_PER_BATCH, 3, 32, 32)


@pytest.mark.parametrize("files", [official.cifar10_folder(), official.cifar10_files()], ids=["folder", "archive"])
def test_reads_folder_and_archive_and_unpacks_nothing(files: official.Files, site: Site, monkeypatch):
    site.write(files)
    assert_read(site)
    assert {path.name for path in site.folder.iterdir()} == {name.partition("/")[0] for name in files}
    monkeypatch.setattr(cifar10_source, "published", None)
    assert_read(site)  # from the cache


def test_finds_an_earlier_download_in_the_cache(site: Site):
    site.write(official.cifar10_files())
    cache_folder().mkdir()
    (site.folder / CIFAR).rename(cache_folder() / CIFAR)
    assert_read(site)


def test_torchvision_knows_where_it_is():
    assert published().url.endswith(CIFAR)
    assert set(published().batch_md5) == set(BATCHES)
