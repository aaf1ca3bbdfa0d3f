"""Photographs of clothing (Fashion-MNIST), in the paper's split and format."""

from typing import Any, ClassVar

from flt.data.sets.idx_images import IDXImages


class FashionMNIST(IDXImages):
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
    folder = "FashionMNIST"
    stand_in_darkness = 0.7
    unpacked_md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }

    def official(self) -> Any:
        """Torchvision's Fashion-MNIST."""
        from torchvision.datasets import FashionMNIST as Official  # type: ignore[import-untyped]  # slow to import

        return Official
