"""A user's own data set, from one file of NumPy arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import Examples, RawData
from flt.data.partitions import Partition
from flt.data.readers.npz import ChannelOrder, array_names, as_examples, read_array, read_labels
from flt.data.triggers import Trigger, default_trigger
from flt.errors import InputError, check_choice


class Arrays(FederatedDataModule):
    """A user's own data: an .npz file with the arrays x_train, y_train, x_test, y_test and, if it has any, client_ids.

    x_train and x_test hold vectors [num_examples, num_features], grey images [num_examples, height, width], or images
    with channels. Bytes (uint8) are divided by 255; floating-point images must lie between 0 and 1 already, vectors
    may be any finite numbers. With channels "none" the examples are no images and have any shape and finite values,
    such as series [num_examples, num_steps, num_features]. Integers other than bytes, such as token ids
    [num_examples, num_tokens], reach the network as they are, as int64 of the same shape.

    y_train and y_test hold classes counted from 0, as integers [num_examples]; every class has a training example.
    client_ids, any integers [num_examples], names the natural client of each training example; without it the training
    examples are dealt out by ``partition``.

    Backdoor attacks embed the paper's CIFAR-10 pattern in 32x32 RGB images and its MNIST pattern, counted from the
    bottom right, in other images; for vectors, series and token ids they must be given a trigger. Their target is
    class 0.

    Args:
        path: The .npz file, as numpy.savez writes it.
        channels: Where images with channels have them: "last" is [num_examples, height, width, channels], "first" is
            [num_examples, channels, height, width]; "none" is for examples that are no images.
        num_clients: Number of clients that the training examples are dealt out to; null for 100.
        partition: How they are dealt out to clients; null for the paper's `GroupPartition` with noniid_degree 0.5.
        settings: The other arguments of `FederatedDataModule` but ``data_dir`` and ``stand_in``.

    Raises:
        InputError: If an argument is out of range, or the file's labels cannot be used.
    """

    target_class = 0

    def __init__(
        self,
        path: str,
        channels: ChannelOrder = "last",
        num_clients: int | None = None,
        partition: Partition | None = None,
        **settings: Any,
    ) -> None:
        check_choice("data.channels", channels, ChannelOrder)
        self.path = Path(path).expanduser()
        self.channels: ChannelOrder = channels
        self._num_classes = int(read_labels(self.path, "y_train").max()) + 1
        self._image_shape: tuple[int, ...] = ()
        self._ignored_with_client_ids = [
            name for name, value in (("num_clients", num_clients), ("partition", partition)) if value is not None
        ]
        # The first two are named here, so that the command line does not offer what would have no effect.
        super().__init__(
            data_dir=None,
            stand_in="never",
            num_clients=100 if num_clients is None else num_clients,
            partition=partition,
            **settings,
        )

    @property
    def dataset_name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def num_classes(self) -> int:
        """Number of classes, from the training labels."""
        return self._num_classes

    @property
    def trigger(self) -> Trigger:
        """The paper's pattern for images of this shape; a `MissingTrigger` for what is no image."""
        return default_trigger(self._image_shape)

    def load(self, seed: int) -> RawData:
        """Reads and checks the arrays.

        Raises:
            InputError: If the file or one of its arrays cannot be used.
        """
        train, test = (self._examples(part) for part in ("train", "test"))
        if train.shape != test.shape or train.are_integers != test.are_integers:
            raise InputError(f"{self.path}: x_train has {train.describe()}, x_test {test.describe()}: store them alike")
        if int(test.labels.max()) >= self.num_classes:
            raise InputError(
                f"{self.path}: y_test has class {int(test.labels.max())}, but y_train has classes from 0 to"
                f" {self.num_classes - 1}: use the same classes"
            )
        self._image_shape = () if train.are_integers or self.channels == "none" else train.shape
        return RawData(train, self._client_ids(len(train)), test, False)

    def _examples(self, part: str) -> Examples:
        features = as_examples(read_array(self.path, f"x_{part}"), self.channels, f"{self.path}: x_{part}")
        labels = read_labels(self.path, f"y_{part}")
        if len(features) != len(labels):
            raise InputError(
                f"{self.path}: x_{part} has {len(features)} examples, y_{part} {len(labels)}: store one label for each"
            )
        return Examples(features, labels)

    def _client_ids(self, num_examples: int) -> Tensor | None:
        if "client_ids" not in array_names(self.path):
            return None
        ids = read_array(self.path, "client_ids")
        if ids.dtype.kind not in "iu" or ids.shape != (num_examples,):
            raise InputError(
                f"{self.path}: client_ids is {ids.dtype} of shape {list(ids.shape)}: store one integer for each of the"
                f" {num_examples} training examples"
            )
        for name in self._ignored_with_client_ids:
            rank_zero_warn(f"data.{name} has no effect: {self.path} names the clients in client_ids.")
        return torch.from_numpy(np.unique(ids, return_inverse=True)[1].astype(np.int64))
