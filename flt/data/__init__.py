"""Federated data sets: the examples of the clients, the root dataset and the test set, and how they are read."""

from flt.data.backdoor import Backdoor
from flt.data.datamodule import FederatedDataModule
from flt.data.examples import ClientData, Examples, RawData
from flt.data.partitions import (
    DirichletPartition,
    GammaSimilarityPartition,
    GroupPartition,
    IIDPartition,
    Partition,
    ShardPartition,
    SortedPartition,
)
from flt.data.root import sample_root
from flt.data.rounds import EvaluationBatches, Rounds
from flt.data.sets.arrays import Arrays
from flt.data.sets.chmnist import CHMNIST
from flt.data.sets.cifar10 import CIFAR10
from flt.data.sets.fashion_mnist import FashionMNIST
from flt.data.sets.har import HAR
from flt.data.sets.image_folder import ImageFolder
from flt.data.sets.mnist import MNIST
from flt.data.triggers import (
    CHMNIST_TRIGGER,
    CIFAR10_TRIGGER,
    HAR_TRIGGER,
    MNIST_TRIGGER,
    BlendedTrigger,
    CleanLabelTrigger,
    FeatureTrigger,
    OutsideTrigger,
    PixelTrigger,
    SemanticTrigger,
    SinusoidalTrigger,
    TailTrigger,
    TokenTrigger,
    Trigger,
)

__all__ = [
    "CHMNIST",
    "CHMNIST_TRIGGER",
    "CIFAR10",
    "CIFAR10_TRIGGER",
    "HAR",
    "HAR_TRIGGER",
    "MNIST",
    "MNIST_TRIGGER",
    "Arrays",
    "Backdoor",
    "BlendedTrigger",
    "CleanLabelTrigger",
    "ClientData",
    "DirichletPartition",
    "EvaluationBatches",
    "Examples",
    "FashionMNIST",
    "FeatureTrigger",
    "FederatedDataModule",
    "GammaSimilarityPartition",
    "GroupPartition",
    "IIDPartition",
    "ImageFolder",
    "OutsideTrigger",
    "Partition",
    "PixelTrigger",
    "RawData",
    "Rounds",
    "SemanticTrigger",
    "ShardPartition",
    "SinusoidalTrigger",
    "SortedPartition",
    "TailTrigger",
    "TokenTrigger",
    "Trigger",
    "sample_root",
]
