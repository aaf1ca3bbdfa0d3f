"""Tissue in microscope images of colorectal cancer (CH-MNIST)."""

from typing import Any

import torch

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import Examples, RawData
from flt.data.readers.chmnist import ARCHIVE, CLASSES, CSV, NUM_TILES, SIZE, read_chmnist
from flt.data.readers.images import as_features
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import real_or_stand_in
from flt.data.triggers import CHMNIST_TRIGGER, Trigger
from flt.random import generator

TRAIN_FRACTION = 0.8


class CHMNIST(FederatedDataModule):
    """CH-MNIST: eight kinds of tissue, 5,000 images of 64x64 grey pixels from 0 to 1, 4,000 at random for training.

    The data are read from ``data_dir``: the table ``hmnist_64_64_L.csv``, or the archive of the original 150x150 RGB
    tiles, ``Kather_texture_2016_image_tiles_5000.zip``, which is downloaded if there is neither. Its tiles are turned
    to grey and scaled down.

    Args:
        data_dir: Folder of data sets; null means $FLT_DATA, or "data" if that is not set.
        num_clients: Number of clients that the training examples are dealt out to.
        settings: The other arguments of `FederatedDataModule`.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Kather et al., "Multi-class texture analysis in colorectal cancer histology", Scientific Reports, 2016.
    """

    dataset_name = "CH-MNIST"
    num_classes = len(CLASSES)
    class_names = tuple(name[3:].lower() for name in CLASSES)
    trigger: Trigger = CHMNIST_TRIGGER
    target_class = 0

    def __init__(self, data_dir: str | None = None, num_clients: int = 40, **settings: Any) -> None:
        super().__init__(data_dir=data_dir, num_clients=num_clients, **settings)

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in, and splits it at random.

        Raises:
            InputError: If the file is damaged, or there is none and ``stand_in`` is ``"never"``.
        """
        tiles, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_chmnist(self.data_folder),
            stand_in=_synthetic_tiles,
            remedy=f"copy {CSV!r} or {ARCHIVE!r} to data.data_dir={str(self.data_folder)!r}",
        )
        order = torch.randperm(len(tiles), generator=generator(seed, "split"))
        shuffled = Examples(as_features(tiles.features), tiles.labels)[order]
        num_train = round(TRAIN_FRACTION * len(tiles))
        return RawData(shuffled[:num_train], None, shuffled[num_train:], is_stand_in)


def _synthetic_tiles() -> Examples:
    images = synthetic_images(
        "CH-MNIST", num_train=NUM_TILES, num_test=0, num_classes=len(CLASSES), shape=(1, SIZE, SIZE)
    )
    return Examples(images.train_images, images.train_labels)
