"""Finds image files by class and reads them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flt.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def class_folders(folder: Path) -> list[str]:
    """Names of the folders in ``folder``, in alphabetical order; hidden ones are passed over.

    Raises:
        InputError: If ``folder`` is no folder or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}: put a folder of images for each class there")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise InputError(f"{folder} has no folders: put a folder of images for each class there")
    return names


def image_files(folder: Path) -> list[Path]:
    """The image files of ``folder``, in alphabetical order; hidden files are passed over.

    Raises:
        InputError: If the folder holds no image, or something else.
    """
    files = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    strange = [file for file in files if not file.is_file() or file.suffix.lower() not in SUFFIXES]
    if strange:
        raise InputError(f"{strange[0]} is no image file ({', '.join(SUFFIXES)}): move it away")
    if not files:
        raise InputError(f"{folder} has no images: add some, or remove the folder")
    return files


def read_images(files: Sequence[Path], channels: int, *, size: tuple[int, int] | None = None) -> Tensor:
    """Reads image files as bytes.

    Args:
        files: At least one file.
        channels: 1 for grey, 3 for RGB, 4 for RGB with an alpha channel; files are converted.
        size: Height and width of every image; None for those of the first file.

    Returns:
        Uint8 of shape ``[num_files, channels, height, width]``.

    Raises:
        InputError: If a file cannot be read or has another size.
    """
    size = size or _size(files[0])
    images = np.empty((len(files), channels, *size), np.uint8)
    for row, file in enumerate(files):
        images[row] = _read(file, channels, size)
    return torch.from_numpy(images)


def _size(file: Path) -> tuple[int, int]:
    with _opened(file) as image:
        return image.height, image.width


def _read(file: Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    with _opened(file) as image:
        if (image.height, image.width) != size:  # before it is unpacked
            there, wanted = f"{image.width}x{image.height}", f"{size[1]}x{size[0]}"
            raise InputError(f"{file} has {there} pixels instead of {wanted}: bring all images to one size")
        if image.mode.startswith(("I", "F")):  # a conversion to 8 bits would clip them
            raise InputError(f"{file} has pixels of more than 8 bits (mode {image.mode}): convert it to 8 bits")
        pixels = np.asarray(image.convert(MODES[channels]))
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    from PIL import Image  # slow to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except InputError:
        raise
    except Exception as error:  # a damaged image can make the reader raise anything
        raise InputError(f"{file} is not a readable image: replace it or move it away") from error
