"""Tissue in microscope images of colorectal cancer (CH-MNIST)."""

import torch

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import Examples, RawData
from flt.data.inputs import InputPipeline
from flt.data.partitions import Partition
from flt.data.readers.chmnist import ARCHIVE, CLASSES, CSV, NUM_TILES, SIZE, read_chmnist
from flt.data.readers.images import as_features
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import StandInPolicy, real_or_stand_in
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
        stand_in: Whether synthetic data may take the place of the real ones.
        num_clients: Number of clients that the training examples are dealt out to.
        partition: How they are dealt out; null for the paper's `GroupPartition` with noniid_degree 0.5.
        root_size: Number of examples of the server's root dataset.
        bias_probability: Fraction of the root dataset that is of ``biased_class``; null for a uniform root dataset.
        biased_class: The class that a biased root dataset prefers, 0 to 7.
        batch_size: Examples per client and local step.
        eval_batch_size: Examples per batch of an evaluation.
        root_path: The server's own data to draw the root dataset from; see `FederatedDataModule`.
        inputs: Augmentation and normalisation.

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

    def __init__(
        self,
        data_dir: str | None = None,
        stand_in: StandInPolicy = "never",
        num_clients: int = 40,
        partition: Partition | None = None,
        root_size: int = 100,
        bias_probability: float | None = None,
        biased_class: int = 1,
        batch_size: int = 32,
        eval_batch_size: int = 1024,
        root_path: str | None = None,
        inputs: InputPipeline | None = None,
    ) -> None:
        super().__init__(
            data_dir=data_dir,
            stand_in=stand_in,
            num_clients=num_clients,
            partition=partition,
            root_size=root_size,
            bias_probability=bias_probability,
            biased_class=biased_class,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            root_path=root_path,
            inputs=inputs,
        )

    def load(self, seed: int) -> RawData:
        """Read the data or make the stand-in, and split it at random.

        Raises:
            InputError: If the file is damaged, or there is none and ``stand_in`` is ``"never"``.
        """
        tiles, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_chmnist(self.data_folder),
            stand_in=_synthetic_tiles,
            remedy=f"copy {CSV!r} or {ARCHIVE!r} to data_dir={str(self.data_folder)!r}",
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
