from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flt.data import Examples
from flt.data.root_source import read_root
from flt.errors import InputError

NAMES = ("bird", "cat", "dog")


def own(
    path: Path, shape: tuple[int, ...], names: Sequence[str] = NAMES, dtype: torch.dtype = torch.float32
) -> Examples:
    """What the server brings to a data set whose examples have this shape."""
    return read_root(path, Examples(torch.zeros(1, *shape, dtype=dtype), torch.zeros(1).long()), names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of class 2, by name, and one of class 0, by number; grey levels 10, 20, 30."""
    for name, level in (("dog/a.png", 10), ("dog/b.png", 20), ("0/c.png", 30)):
        file = tmp_path / "own" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), level, np.uint8)).save(file)
    return tmp_path / "own"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_images(folder: Path, channels: int):
    examples = own(folder, (channels, 4, 5))
    assert examples.features.shape == (3, channels, 4, 5)
    assert examples.labels.tolist() == [0, 2, 2]  # folders in alphabetical order
    torch.testing.assert_close(examples.features[:, 0, 0, 0], torch.tensor([30.0, 10.0, 20.0]) / 255)


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return path


def test_a_file_of_vectors(tmp_path: Path):
    path = save(tmp_path / "own.npz", x=np.array([[1.5, -2.0], [0.0, 7.0]]), y=[2, 2])
    examples = own(path, (2,))
    assert examples.features.tolist() == [[1.5, -2.0], [0.0, 7.0]]
    assert examples.labels.tolist() == [2, 2]


@pytest.mark.parametrize("order", ["first", "last"])
def test_a_file_of_images_with_channels_first_or_last(tmp_path: Path, order: str):
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), np.uint8)
    path = save(tmp_path / "own.npz", x=images if order == "first" else images.transpose(0, 2, 3, 1), y=range(6))
    examples = own(path, (3, 4, 5), [str(number) for number in range(6)])
    torch.testing.assert_close(examples.features, torch.from_numpy(images).float() / 255)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((12,), r"is a folder of images, but the data set has examples of shape \[12\]: give an \.npz file"),
        ((3, 4, 4), r"0/c\.png has 5x4 pixels instead of 4x4: bring all images to one size"),
    ],
)
def test_a_folder_that_does_not_fit(folder: Path, shape: tuple[int, ...], message: str):
    with pytest.raises(InputError, match=message):
        own(folder, shape)


@pytest.mark.parametrize("name", ["wolf", "3"])
def test_a_folder_of_no_class(folder: Path, name: str):
    (folder / "dog").rename(folder / name)
    with pytest.raises(
        InputError, match=rf"own/{name} is called after no class: choose among bird, cat, dog, or the num"
    ):
        own(folder, (3, 4, 5))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [[1.0, 2.0]]}, r"has no array y, only x"),
        ({"x": [[1.0, 2.0]], "y": [3]}, r"y has class 3, but the data set's classes go from 0 to 2"),
        ({"x": [[1.0, 2.0]], "y": [0, 1]}, "x has 1 examples, y 2: store one label for each"),
        ({"x": [[1.0, 2.0], [0.0, 1.0]], "y": [0]}, "x has 2 examples, y 1: store one label for each"),
        ({"x": [[1.0, 2.0, 3.0]], "y": [0]}, r"x has examples of shape \[3\], the data set examples of shape \[2\]"),
        ({"x": [[1.0, float("nan")]], "y": [0]}, r"x has values that are not finite"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path: Path, arrays: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        own(save(tmp_path / "own.npz", **arrays), (2,))


def test_numbers_are_no_names_where_names_are_numbers(folder: Path):
    (folder / "dog").rename(folder / "1")
    with pytest.raises(InputError, match=r"own/0 is called after no class: choose among 10, 2, 7$"):
        own(folder, (3, 4, 5), ("10", "2", "7"))
