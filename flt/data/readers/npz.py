"""Reads and checks a user's own .npz files."""

from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flt.data.readers.images import as_features
from flt.errors import InputError

ChannelOrder = Literal["last", "first", "none"]
CHANNEL_COUNTS = (1, 3, 4)
MAX_CLASSES = 1_000_000


def read_labels(path: Path, name: str) -> Tensor:
    """Labels from one array of the file: int64 of shape ``[num_examples]``.

    Raises:
        InputError: If they are not classes counted from 0, or, in ``y_train``, some class has no example.
    """
    array = read_array(path, name)
    if array.dtype.kind not in "iu" or array.ndim != 1 or not len(array):
        raise InputError(
            f"{path}: {name} is {array.dtype} of shape {list(array.shape)}: store classes as integers [num_examples]"
        )
    if array.min() < 0 or array.max() >= MAX_CLASSES:
        raise InputError(
            f"{path}: {name} has values from {array.min()} to {array.max()}: count classes from 0 without gaps"
        )
    labels = torch.from_numpy(array.astype(np.int64))
    missing = int((labels.bincount() == 0).sum()) if name == "y_train" else 0
    if missing:
        raise InputError(
            f"{path}: y_train has no example of {missing} of the classes from 0 to {int(labels.max())}: count classes"
            " from 0 without gaps"
        )
    return labels


def array_names(path: Path) -> list[str]:
    """Names of the arrays in the file.

    Raises:
        InputError: If the file is missing or no .npz file.
    """
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            names = list(file.files)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file: write it with numpy.savez, or correct the path") from error
    except Exception as error:  # a damaged archive can make the reader raise anything
        raise InputError(f"{path} is not an .npz file of numpy.savez: {_first_line(error)}") from error
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise InputError(f"{path} has the array {twice} twice: write the file anew with numpy.savez")
    return names


def read_array(path: Path, name: str) -> NDArray[np.generic]:
    """One array of the file. Nothing is unpickled.

    Raises:
        InputError: If the array is missing or damaged.
    """
    names = array_names(path)
    if name not in names:
        raise InputError(f"{path} has no array {name}, only {', '.join(names) or 'none'}: add it with numpy.savez")
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            return np.asarray(file[name])
    except Exception as error:  # a damaged archive can make the reader raise anything
        raise InputError(
            f"{path}: {name} cannot be read ({_first_line(error)}): store it as an array of plain numbers"
        ) from error


def _first_line(error: Exception) -> str:
    if "allow_pickle" in str(error):  # NumPy's message advises to unpickle it
        return "it holds Python objects"
    return next(iter(str(error).splitlines()), type(error).__name__)


def as_examples(array: NDArray[np.generic], channels: ChannelOrder, name: str) -> Tensor:
    """The features in an array: float32, or int64 where the array holds integers other than bytes.

    Args:
        array: Bytes, which are divided by 255, floating-point numbers, or integers such as token ids.
        channels: Where images with channels have them. With "last" and "first", bytes and floating-point numbers of 3
            or 4 dimensions are images, which become ``[num_examples, channels, height, width]`` with pixels from 0 to
            1. With "none", examples keep their shape and floating-point numbers may be any finite ones.
        name: What messages call the array.

    Raises:
        InputError: If its type, shape or values will not do.
    """
    if array.dtype.kind not in "iu" and array.dtype not in (np.float16, np.float32, np.float64):
        raise InputError(f"{name} is {array.dtype}: store bytes (uint8), floating-point numbers or integers")
    are_integers = array.dtype.kind in "iu" and array.dtype != np.uint8
    keep_shape = channels == "none" or are_integers
    if array.ndim < 2 or (array.ndim > 4 and not keep_shape) or not array.size:
        raise InputError(
            f"{name} has the shape {list(array.shape)}: store vectors [num_examples, num_features] or images"
            " [num_examples, height, width] or with channels, or pass --data.channels=none for other shapes"
        )
    if are_integers:
        return _integers(array, name)
    are_images = array.ndim > 2 and not keep_shape
    if array.dtype != np.uint8:
        _check_values(array, name, are_images=are_images)
    examples = torch.from_numpy(array)
    if are_images:
        examples = _channels_first(examples, channels, name)
    return as_features(examples) if array.dtype == np.uint8 else examples.contiguous().float()


def _integers(array: NDArray[np.generic], name: str) -> Tensor:
    if array.dtype == np.uint64 and int(array.max()) >= 2**63:
        raise InputError(f"{name} has the value {array.max()}: store integers below 2^63")
    return torch.from_numpy(array.astype(np.int64))


def _check_values(array: NDArray[np.generic], name: str, *, are_images: bool) -> None:
    with np.errstate(over="ignore"):
        low, high = np.float32(array.min()), np.float32(array.max())  # as they will be kept; NaN if there is one
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} has values that are not finite: replace NaN and infinity by numbers")
    if are_images and not 0 <= low <= high <= 1:
        raise InputError(
            f"{name} has pixels from {low:g} to {high:g}: scale images to 0..1, or store them as uint8; if these are"
            " no images, pass --data.channels=none"
        )


def _channels_first(images: Tensor, channels: ChannelOrder, name: str) -> Tensor:
    if images.ndim == 3:
        return images[:, None]
    shape = images.shape
    here, there = (shape[3], shape[1]) if channels == "last" else (shape[1], shape[3])
    if here not in CHANNEL_COUNTS:
        other = "first" if channels == "last" else "last"
        advice = f"pass --data.channels={other}" if there in CHANNEL_COUNTS else "store images of 1, 3 or 4 channels"
        raise InputError(f"{name} has the shape {list(shape)}, {here} channels with channels={channels}: {advice}")
    return images if channels == "first" else images.permute(0, 3, 1, 2)
