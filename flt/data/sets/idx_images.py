"""Base class of the data sets in MNIST's format."""

from abc import abstractmethod
from typing import Any, ClassVar

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import RawData
from flt.data.readers.idx import NUM_CLASSES, NUM_TEST, NUM_TRAIN, SHAPE, Published, read_idx_images
from flt.data.readers.images import as_raw_data
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import real_or_stand_in
from flt.data.triggers import MNIST_TRIGGER, Trigger


class IDXImages(FederatedDataModule):
    """Ten classes of 28x28 grey images in four IDX files, 60,000 images for training and 10,000 for testing."""

    folder: ClassVar[str]
    """Name of torchvision's folder with the files."""

    unpacked_md5: ClassVar[dict[str, str]]
    """Checksums of the files that are not packed; torchvision has those of the packed ones."""

    stand_in_darkness: ClassVar[float]
    """Share of black in the images of the stand-in, see `synthetic_images`."""

    num_classes = NUM_CLASSES
    trigger: Trigger = MNIST_TRIGGER
    target_class = 0

    @abstractmethod
    def official(self) -> Any:
        """Torchvision's class of the data set, which knows where it is published."""

    def published(self) -> Published:
        """Where the data set is published, and the checksums of its files."""
        official = self.official()
        return Published(tuple(official.mirrors), dict(official.resources) | self.unpacked_md5)

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in.

        Raises:
            InputError: If the files are damaged, or there are none and ``stand_in`` is ``"never"``.
        """
        images, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_idx_images(self.folder, self.data_folder, self.published),
            stand_in=lambda: synthetic_images(
                self.dataset_name,
                num_train=NUM_TRAIN,
                num_test=NUM_TEST,
                num_classes=NUM_CLASSES,
                shape=SHAPE,
                darkness=self.stand_in_darkness,
            ),
            remedy=f"copy the four official .gz files to {str(self.data_folder / self.folder / 'raw')!r}",
        )
        return as_raw_data(images, is_stand_in)
