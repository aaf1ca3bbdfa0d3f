"""Reads the server's own data, from which a root dataset is drawn that no client holds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from flt.data.examples import Examples
from flt.data.readers.image_files import MODES, class_folders, image_files, read_images
from flt.data.readers.images import as_features
from flt.data.readers.npz import ChannelOrder, as_examples, read_array, read_labels
from flt.errors import InputError


def read_root(path: Path, like: Examples, class_names: Sequence[str]) -> Examples:
    """Reads the examples that the server brings itself.

    Args:
        path: A folder with a folder of images for each class (some may be missing), called by the class's name or its
            number from 0; or an .npz file with the arrays x and y, in the units of the data set's own examples.
        like: The data set's own examples, for their shape and type.
        class_names: Names of its classes.

    Raises:
        InputError: If the file or folder cannot be read or does not fit the data set.
    """
    examples = _from_folder(path, like, class_names) if path.is_dir() else _from_file(path, like)
    if int(examples.labels.max()) >= len(class_names):
        raise InputError(
            f"{path}: y has class {int(examples.labels.max())}, but the data set's classes go from 0 to"
            f" {len(class_names) - 1}"
        )
    return examples


def are_images(examples: Examples) -> bool:
    """Whether examples are images of a number of channels that image files have."""
    return len(examples.shape) == 3 and examples.shape[0] in MODES and not examples.are_integers


def _from_folder(path: Path, like: Examples, class_names: Sequence[str]) -> Examples:
    if not are_images(like):
        raise InputError(
            f"data.root_path={str(path)!r} is a folder of images, but the data set has"
            f" {like.describe()}: give an .npz file with the arrays x and y"
        )
    channels, height, width = like.shape
    images, labels = [], []
    for folder in class_folders(path):
        files = image_files(path / folder)
        images.append(read_images(files, channels, size=(height, width)))
        labels.append(torch.full((len(files),), _class_of(folder, path, class_names)))
    return Examples(as_features(torch.cat(images)), torch.cat(labels))


def _class_of(folder: str, path: Path, class_names: Sequence[str]) -> int:
    if folder in class_names:
        return list(class_names).index(folder)
    numbers = "" if any(name.isdecimal() for name in class_names) else f", or the numbers to {len(class_names) - 1}"
    if numbers and folder.isdecimal() and int(folder) < len(class_names):
        return int(folder)
    raise InputError(f"{path / folder} is called after no class: choose among {', '.join(class_names)}{numbers}")


def _from_file(path: Path, like: Examples) -> Examples:
    features, labels = features_like(path, "x", like), read_labels(path, "y")
    if len(features) != len(labels):
        raise InputError(f"{path}: x has {len(features)} examples, y {len(labels)}: store one label for each")
    return Examples(features, labels)


def features_like(path: Path, name: str, like: Examples) -> Tensor:
    """Features from one array of an .npz file, of the shape and type that a data set's own examples have.

    Args:
        path: The file.
        name: The array; images may have their channels first or last.
        like: The data set's own examples.

    Raises:
        InputError: If the array cannot be read or does not fit the data set.
    """
    array = read_array(path, name)
    order: ChannelOrder = "none"
    if are_images(like):
        is_last = array.ndim == 4 and (array.shape[3], *array.shape[1:3]) == like.shape != array.shape[1:]
        order = "last" if is_last else "first"
    if array.ndim == 4 and order == "first" and array.shape[1:] != like.shape:
        raise InputError(
            f"{path}: {name} has the shape {list(array.shape)}, the data set's examples {list(like.shape)}"
        )
    features = as_examples(array, order, f"{path}: {name}")
    found = Examples(features, torch.zeros(len(features), dtype=torch.int64))
    if found.shape != like.shape or found.are_integers != like.are_integers:
        raise InputError(f"{path}: {name} has {found.describe()}, the data set {like.describe()}: store them alike")
    return features
