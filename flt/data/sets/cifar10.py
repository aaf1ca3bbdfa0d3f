"""Photographs of ten kinds of animals and vehicles (CIFAR-10)."""

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import RawData
from flt.data.readers.cifar10 import NUM_CLASSES, NUM_TEST, NUM_TRAIN, SHAPE, read_cifar10
from flt.data.readers.images import as_raw_data
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import real_or_stand_in
from flt.data.triggers import CIFAR10_TRIGGER, Trigger


class CIFAR10(FederatedDataModule):
    """CIFAR-10: ten kinds of things, 50,000 training and 10,000 test images of 32x32 RGB pixels from 0 to 1.

    The data are read from ``data_dir``, where torchvision keeps them: the folder ``cifar-10-batches-py``, or the
    archive ``cifar-10-python.tar.gz``, which is downloaded if there is neither. The files are Python pickles, which
    are opened only if torchvision's checksums say that they are the published ones.

    Its arguments are those of `FederatedDataModule`.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """

    dataset_name = "CIFAR-10"
    num_classes = NUM_CLASSES
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    trigger: Trigger = CIFAR10_TRIGGER
    target_class = 2

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in.

        Raises:
            InputError: If the files are damaged, or there are none and ``stand_in`` is ``"never"``.
        """
        images, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_cifar10(self.data_folder),
            stand_in=lambda: synthetic_images(
                "CIFAR-10", num_train=NUM_TRAIN, num_test=NUM_TEST, num_classes=NUM_CLASSES, shape=SHAPE
            ),
            remedy=f"copy 'cifar-10-python.tar.gz' to data.data_dir={str(self.data_folder)!r}",
        )
        return as_raw_data(images, is_stand_in)
