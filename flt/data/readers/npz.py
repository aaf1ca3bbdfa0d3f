"""NumPy's .npz files of a user's own: reading them with every check."""

from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flt.data.readers.images import as_features
from flt.errors import InputError

ChannelOrder = Literal["last", "first"]
CHANNEL_COUNTS = (1, 3, 4)
MAX_CLASSES = 1_000_000


def read_labels(path: Path, name: str) -> Tensor:
    """The labels in one array of the file: int64 of shape ``[num_examples]``.

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
        InputError: If it is missing or no .npz file.
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
    """One array of the file; nothing is unpickled.

    Raises:
        InputError: If it is missing or damaged.
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
    if "allow_pickle" in str(error):  # NumPy's advice to load it all the same is not ours
        return "it holds Python objects"
    return next(iter(str(error).splitlines()), type(error).__name__)


def as_examples(array: NDArray[np.generic], channels: ChannelOrder, name: str) -> Tensor:
    """An array as features: float32, images as ``[num_examples, channels, height, width]`` with pixels from 0 to 1.

    Args:
        array: Bytes or floating-point numbers; vectors, grey images, or images with channels.
        channels: Where images with channels have them.
        name: What messages call it.

    Raises:
        InputError: If its type, shape or values will not do.
    """
    if array.dtype != np.uint8 and array.dtype not in (np.float16, np.float32, np.float64):
        raise InputError(f"{name} is {array.dtype}: store bytes (uint8) or floating-point numbers")
    if array.ndim not in (2, 3, 4) or not array.size:
        raise InputError(
            f"{name} has the shape {list(array.shape)}: store vectors [num_examples, num_features] or images"
            " [num_examples, height, width] or with channels"
        )
    if array.dtype != np.uint8:
        _check_values(array, name)
    examples = torch.from_numpy(array)
    if array.ndim == 3:
        examples = examples[:, None]
    if array.ndim == 4:
        _check_channels(array.shape, channels, name)
        examples = examples if channels == "first" else examples.permute(0, 3, 1, 2)
    return as_features(examples) if array.dtype == np.uint8 else examples.contiguous().float()


def _check_values(array: NDArray[np.generic], name: str) -> None:
    with np.errstate(over="ignore"):
        low, high = np.float32(array.min()), np.float32(array.max())  # NaN if there is one; float32 is what is kept
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{name} has values that are not finite: replace NaN and infinity by numbers")
    if array.ndim > 2 and not 0 <= low <= high <= 1:
        raise InputError(f"{name} has pixels from {low:g} to {high:g}: scale images to 0..1, or store them as uint8")


def _check_channels(shape: tuple[int, ...], channels: ChannelOrder, name: str) -> None:
    here, there = (shape[3], shape[1]) if channels == "last" else (shape[1], shape[3])
    if here not in CHANNEL_COUNTS:
        other = "first" if channels == "last" else "last"
        advice = f"pass --data.channels={other}" if there in CHANNEL_COUNTS else "store images of 1, 3 or 4 channels"
        raise InputError(f"{name} has the shape {list(shape)}, {here} channels with channels={channels}: {advice}")
