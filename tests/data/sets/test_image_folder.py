import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flt.data import CHMNIST_TRIGGER, ImageFolder
from flt.errors import InputError

CLASSES = ("cat", "dog", "eel")


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Images of 12x8 pixels whose red channel tells their class and number."""
    for part, count in (("train", 7), ("test", 3)):
        for label, name in enumerate(CLASSES):
            for number in range(count):
                pixels = np.zeros((8, 12, 3), np.uint8)
                pixels[0, 1] = 100 * label + number, 5, 9
                save(tmp_path / "pets" / part / name / f"{number}.{'png' if number % 2 else 'BMP'}", pixels)
    return tmp_path / "pets"


def test_reads_images_by_class(path: Path):
    raw = ImageFolder(str(path)).load(0)
    assert (raw.owners, raw.stand_in) == (None, False)
    assert raw.train.features.shape == (21, 3, 8, 12)
    assert raw.train.labels.tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert raw.test.labels.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert (raw.test.features[:, 0, 0, 1] * 255).round().tolist() == [0, 1, 2, 100, 101, 102, 200, 201, 202]
    assert (raw.test.features[0, :, 0, 1] * 255).round().tolist() == [0, 5, 9]


def test_is_a_federated_data_set(path: Path):
    data = ImageFolder(str(path), num_clients=4, root_size=3)
    data.setup()
    assert (data.display_name, data.num_classes, data.num_clients, data.target_class) == ("pets", 3, 4, 0)
    assert len(data.clients.labels) == 18
    assert data.trigger is CHMNIST_TRIGGER


def test_grey_images_and_other_files_to_pass_over(path: Path):
    (path / "train" / "cat" / ".DS_Store").write_text("x")
    (path / "train" / ".hidden").mkdir()
    (path / "train" / "readme.txt").write_text("x")
    assert ImageFolder(str(path), grey=True).load(0).train.features.shape == (21, 1, 8, 12)


def test_the_biased_class_is_checked_against_the_folders(path: Path):
    with pytest.raises(InputError, match="biased_class=3: choose a class from 0 to 2"):
        ImageFolder(str(path), biased_class=3)


def fails(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ImageFolder(str(path)).load(0)


def test_missing_folders(path: Path):
    fails(path / "none", r"there is no folder '.*none/train': put a folder of images for each class there")
    shutil.rmtree(path / "test" / "eel")
    fails(path, "train and test differ in the class 'eel', which test lacks: give both the same folders")
    (path / "test" / "fox").mkdir()
    fails(path, "differ in the class 'eel'")
    shutil.rmtree(path / "train" / "eel")
    fails(path, "differ in the class 'fox', which train lacks")
    shutil.rmtree(path / "test")
    fails(path, r"there is no folder '.*test'")
    (path / "test").mkdir()
    fails(path, "test has no folders: put a folder of images")


def test_a_class_without_images(path: Path):
    shutil.rmtree(path / "train" / "cat")
    (path / "train" / "cat").mkdir()
    fails(path, "train/cat has no images: add some, or remove the folder")


@pytest.mark.parametrize("name", ["notes.txt", "inner/"])
def test_what_is_no_image_file(path: Path, name: str):
    target = path / "train" / "dog" / name
    target.mkdir() if name.endswith("/") else target.write_text("x")
    fails(path, rf"{name.rstrip('/')} is no image file \(\.bmp, .*\): move it away")


def test_damaged_images(path: Path):
    file = path / "test" / "dog" / "1.png"
    content = file.read_bytes()
    for damaged in (b"", b"no image", content[: len(content) // 2]):
        file.write_bytes(damaged)
        fails(path, r"test/dog/1\.png is not a readable image: replace it or move it away")


def test_images_of_other_sizes(path: Path):
    save(path / "test" / "dog" / "1.png", np.zeros((8, 11, 3), np.uint8))
    fails(path, r"test/dog/1\.png has 11x8 pixels instead of 12x8: bring all images to one size")
