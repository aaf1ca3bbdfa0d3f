"""Image data sets as bytes, and the examples made of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.data.examples import Examples, RawData


class Images(NamedTuple):
    """An image data set in its two published parts.

    Attributes:
        train_images: Uint8 of shape ``[num_train, channels, height, width]``.
        train_labels: Classes counted from 0, int64 of shape ``[num_train]``.
        test_images: Uint8 of shape ``[num_test, channels, height, width]``.
        test_labels: Int64 of shape ``[num_test]``.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def layout(num_train: int, num_test: int, shape: tuple[int, ...]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of each part of `Images`, which `flt.data.fetching.cache.load` checks."""
    return {
        "train_images": ((num_train, *shape), torch.uint8),
        "train_labels": ((num_train,), torch.int64),
        "test_images": ((num_test, *shape), torch.uint8),
        "test_labels": ((num_test,), torch.int64),
    }


def as_features(images: Tensor) -> Tensor:
    """Bytes divided by 255: float32 numbers from 0 to 1, of the same shape."""
    return images.contiguous().float().div_(255)


def as_raw_data(images: Images, is_stand_in: bool) -> RawData:
    """The data set without natural clients that ``images`` make up."""
    return RawData(
        Examples(as_features(images.train_images), images.train_labels),
        None,
        Examples(as_features(images.test_images), images.test_labels),
        is_stand_in,
    )
