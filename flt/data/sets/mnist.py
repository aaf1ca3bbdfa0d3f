"""Handwritten digits (MNIST), in the paper's split and format."""

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import RawData
from flt.data.readers.idx import NUM_CLASSES, NUM_TEST, NUM_TRAIN, SHAPE, Published, read_idx_images
from flt.data.readers.images import as_raw_data
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import real_or_stand_in
from flt.data.triggers import MNIST_TRIGGER, Trigger

UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class MNIST(FederatedDataModule):
    """MNIST: ten handwritten digits, 60,000 training and 10,000 test images of 28x28 grey pixels from 0 to 1.

    The data are read from ``data_dir/MNIST/raw``, where torchvision keeps them: the four official files, packed
    (``.gz``) or not. Missing files are downloaded. A file with another checksum than the published one is refused.

    Its arguments are those of `FederatedDataModule`.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proceedings of
        the IEEE, 1998.
    """

    dataset_name = "MNIST"
    num_classes = NUM_CLASSES
    trigger: Trigger = MNIST_TRIGGER
    target_class = 0

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in.

        Raises:
            InputError: If the files are damaged, or there are none and ``stand_in`` is ``"never"``.
        """
        images, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_idx_images("MNIST", self.data_folder, _published),
            stand_in=lambda: synthetic_images(
                "MNIST", num_train=NUM_TRAIN, num_test=NUM_TEST, num_classes=NUM_CLASSES, shape=SHAPE, darkness=1.6
            ),
            remedy=f"copy the four official .gz files to {str(self.data_folder / 'MNIST' / 'raw')!r}",
        )
        return as_raw_data(images, is_stand_in)


def _published() -> Published:
    from torchvision.datasets import MNIST as Official  # type: ignore[import-untyped]  # slow to import

    return Published(tuple(Official.mirrors), dict(Official.resources) | UNPACKED_MD5)
