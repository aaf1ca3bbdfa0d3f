"""A user's own images, sorted into a folder for each class."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from flt.data.datamodule import FederatedDataModule, RawData
from flt.data.images import Images, as_raw_data
from flt.data.partitions import Partition
from flt.data.triggers import Trigger, default_trigger
from flt.errors import InputError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class Listing(NamedTuple):
    """What the folders hold.

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
        num_clients: Number of clients that the training examples are dealt out to.
        partition: How they are dealt out; null for the paper's `GroupPartition` with noniid_degree 0.5.
        root_size: Number of examples of the server's root dataset.
        bias_probability: Fraction of the root dataset that is of ``biased_class``; null for a uniform root dataset.
        biased_class: The class that a biased root dataset prefers.
        batch_size: Examples per client and local step.
        eval_batch_size: Examples per batch of an evaluation.

    Raises:
        InputError: If an argument is out of range, or the folders are not as they should be.
    """

    target_class = 0

    def __init__(
        self,
        path: str,
        grey: bool = False,
        num_clients: int = 100,
        partition: Partition | None = None,
        root_size: int = 100,
        bias_probability: float | None = None,
        biased_class: int = 1,
        batch_size: int = 32,
        eval_batch_size: int = 1024,
    ) -> None:
        self.path = Path(path).expanduser()
        self.grey = grey
        self._listing = list_images(self.path)
        self._shape: tuple[int, ...] = ()
        super().__init__(
            num_clients=num_clients,
            partition=partition,
            root_size=root_size,
            bias_probability=bias_probability,
            biased_class=biased_class,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
        )

    @property
    def dataset_name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def num_classes(self) -> int:
        """Number of folders of a part."""
        return len(self._listing.classes)

    @property
    def trigger(self) -> Trigger:
        """The paper's pattern for images of this shape."""
        return default_trigger(self._shape)

    def load(self, seed: int) -> RawData:
        """Read all images.

        Raises:
            InputError: If an image cannot be read or has another size than the first one.
        """
        shape = _read(self._listing.train[0][0], self.grey).shape
        parts: list[torch.Tensor] = []
        for files in (self._listing.train, self._listing.test):
            images = np.empty((len(files), *shape), np.uint8)
            for row, (file, _) in enumerate(files):
                image = _read(file, self.grey)
                if image.shape != shape:
                    raise InputError(
                        f"{file} has {image.shape[2]}x{image.shape[1]} pixels, the first training image"
                        f" {shape[2]}x{shape[1]}: bring all images to one size"
                    )
                images[row] = image
            parts += [torch.from_numpy(images), torch.tensor([label for _, label in files])]
        self._shape = tuple(shape)
        return as_raw_data(Images(*parts), False)


def list_images(path: Path) -> Listing:
    """The image files of both parts by class; hidden files and folders are passed over.

    Raises:
        InputError: If a folder is missing or has no image, the parts have different classes, or a file is no image.
    """
    names = {part: _class_names(path / part) for part in ("train", "test")}
    if names["train"] != names["test"]:
        part = "train" if set(names["test"]) - set(names["train"]) else "test"
        missing = sorted(set(names["train"]) ^ set(names["test"]))
        raise InputError(
            f"{path}: train and test differ in the class {missing[0]!r}, which {part} lacks: give both the same folders"
        )
    files = {
        part: [(file, label) for label, name in enumerate(names[part]) for file in _image_files(path / part / name)]
        for part in names
    }
    return Listing(names["train"], files["train"], files["test"])


def _class_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"data.path has no folder {str(folder)!r}: put a folder of images for each class there")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise InputError(f"{folder} has no folders: put a folder of images for each class there")
    return names


def _image_files(folder: Path) -> list[Path]:
    files = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    strange = [file for file in files if not file.is_file() or file.suffix.lower() not in SUFFIXES]
    if strange:
        raise InputError(f"{strange[0]} is no image file ({', '.join(SUFFIXES)}): move it away")
    if not files:
        raise InputError(f"{folder} has no images: add some, or remove the folder in train and in test")
    return files


def _read(file: Path, grey: bool) -> NDArray[np.uint8]:
    from PIL import Image  # slow to import

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} is not a readable image: replace it or move it away") from error
    return pixels[None] if grey else pixels.transpose(2, 0, 1)
