"""A user's own images, sorted into a folder for each class."""

from pathlib import Path
from typing import Any, NamedTuple

import torch

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import RawData
from flt.data.readers.image_files import class_folders, image_files, read_images
from flt.data.readers.images import Images, as_raw_data
from flt.data.triggers import Trigger, default_trigger
from flt.errors import InputError


class Listing(NamedTuple):
    """Classes and image files of a data set in folders.

    Attributes:
        classes: Names of the classes in alphabetical order.
        train: Path and class of each training image.
        test: Path and class of each test image.
    """

    classes: list[str]
    train: list[tuple[Path, int]]
    test: list[tuple[Path, int]]


class ImageFolder(FederatedDataModule):
    """A user's own images: path/train and path/test, each with a folder of image files for every class.

    Classes are counted from 0 in the alphabetical order of their folders, the same in both parts. All images have one
    size; pixels become numbers from 0 to 1. Backdoor attacks embed the paper's CIFAR-10 pattern in 32x32 RGB images
    and its MNIST pattern, counted from the bottom right, in other images; their target is class 0.

    Args:
        path: The folder with the folders train and test.
        grey: Whether the images are read as grey, with one channel; false for RGB, with three.
        settings: The arguments of `FederatedDataModule` but ``data_dir`` and ``stand_in``.

    Raises:
        InputError: If an argument is out of range, or the folders are not as they should be.
    """

    target_class = 0

    def __init__(self, path: str, grey: bool = False, **settings: Any) -> None:
        self.path = Path(path).expanduser()
        self.grey = grey
        self._listing = list_images(self.path)
        self._shape: tuple[int, ...] = ()
        # Named here, so that the command line does not offer what would have no effect.
        super().__init__(data_dir=None, stand_in="never", **settings)

    @property
    def dataset_name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def num_classes(self) -> int:
        """Number of folders of a part."""
        return len(self._listing.classes)

    @property
    def class_names(self) -> list[str]:
        """Names of the folders."""
        return self._listing.classes

    @property
    def trigger(self) -> Trigger:
        """The paper's pattern for images of this shape."""
        return default_trigger(self._shape)

    def load(self, seed: int) -> RawData:
        """Reads all images.

        Raises:
            InputError: If an image cannot be read or has another size than the first one.
        """
        channels = 1 if self.grey else 3
        train, test = self._listing.train, self._listing.test
        train_images = read_images([file for file, _ in train], channels)
        height, width = train_images.shape[2:]
        test_images = read_images([file for file, _ in test], channels, size=(height, width))
        train_labels, test_labels = (torch.tensor([label for _, label in files]) for files in (train, test))
        self._shape = tuple(train_images.shape[1:])
        return as_raw_data(Images(train_images, train_labels, test_images, test_labels), False)


def list_images(path: Path) -> Listing:
    """Lists the image files of both parts by class; hidden files and folders are passed over.

    Raises:
        InputError: If a folder is missing or has no image, the parts have different classes, or a file is no image.
    """
    names = {part: class_folders(path / part) for part in ("train", "test")}
    if names["train"] != names["test"]:
        part = "train" if set(names["test"]) - set(names["train"]) else "test"
        missing = sorted(set(names["train"]) ^ set(names["test"]))
        raise InputError(
            f"{path}: train and test differ in the class {missing[0]!r}, which {part} lacks: give both the same folders"
        )
    files = {
        part: [(file, label) for label, name in enumerate(names[part]) for file in image_files(path / part / name)]
        for part in names
    }
    return Listing(names["train"], files["train"], files["test"])
