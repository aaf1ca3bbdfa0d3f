"""Handwritten digits (MNIST), in the paper's split and format."""

from typing import Any, ClassVar

from flt.data.sets.idx_images import IDXImages


class MNIST(IDXImages):
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
    folder = "MNIST"
    stand_in_darkness = 1.6
    unpacked_md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }

    def official(self) -> Any:
        """Torchvision's MNIST."""
        from torchvision.datasets import MNIST as Official  # type: ignore[import-untyped]  # slow to import

        return Official
