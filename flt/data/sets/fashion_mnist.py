"""Photographs of clothing (Fashion-MNIST), in the paper's split and format."""

from flt.data.datamodule import FederatedDataModule
from flt.data.examples import RawData
from flt.data.readers.idx import NUM_CLASSES, NUM_TEST, NUM_TRAIN, SHAPE, Published, read_idx_images
from flt.data.readers.images import as_raw_data
from flt.data.stand_ins.images import synthetic_images
from flt.data.stand_ins.policy import real_or_stand_in
from flt.data.triggers import MNIST_TRIGGER, Trigger

UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


class FashionMNIST(FederatedDataModule):
    """Fashion-MNIST: ten kinds of clothing, 60,000 training and 10,000 test images of 28x28 grey pixels from 0 to 1.

    The data are read from ``data_dir/FashionMNIST/raw``, where torchvision keeps them: the four official files, packed
    (``.gz``) or not. Missing files are downloaded. A file with another checksum than the published one is refused.

    Its arguments are those of `FederatedDataModule`.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms",
        2017.
    """

    dataset_name = "Fashion-MNIST"
    num_classes = NUM_CLASSES
    class_names = (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
    trigger: Trigger = MNIST_TRIGGER
    target_class = 0

    def load(self, seed: int) -> RawData:
        """Reads the data or makes the stand-in.

        Raises:
            InputError: If the files are damaged, or there are none and ``stand_in`` is ``"never"``.
        """
        images, is_stand_in = real_or_stand_in(
            self.stand_in,
            real=lambda: read_idx_images("FashionMNIST", self.data_folder, _published),
            stand_in=lambda: synthetic_images(
                "Fashion-MNIST",
                num_train=NUM_TRAIN,
                num_test=NUM_TEST,
                num_classes=NUM_CLASSES,
                shape=SHAPE,
                darkness=0.7,
            ),
            remedy=f"copy the four official .gz files to {str(self.data_folder / 'FashionMNIST' / 'raw')!r}",
        )
        return as_raw_data(images, is_stand_in)


def _published() -> Published:
    from torchvision.datasets import FashionMNIST as Official  # type: ignore[import-untyped]  # slow to import

    return Published(tuple(Official.mirrors), dict(Official.resources) | UNPACKED_MD5)
