"""Backdoor triggers: what an attacker embeds in examples, in training and in evaluation alike."""

from flt.data.triggers.base import Trigger
from flt.data.triggers.blended import BlendedTrigger
from flt.data.triggers.clean_label import CleanLabelTrigger
from flt.data.triggers.features import FeatureTrigger
from flt.data.triggers.learnt import LearntTrigger
from flt.data.triggers.own import (
    CHMNIST_TRIGGER,
    CIFAR10_TRIGGER,
    DBA_CIFAR10_TRIGGER,
    DBA_MNIST_TRIGGER,
    HAR_TRIGGER,
    MNIST_TRIGGER,
    MissingTrigger,
    default_trigger,
    distributed_trigger,
)
from flt.data.triggers.pixels import PixelTrigger
from flt.data.triggers.semantic import SemanticTrigger
from flt.data.triggers.sinusoidal import SinusoidalTrigger
from flt.data.triggers.tail import OutsideTrigger, TailTrigger
from flt.data.triggers.tokens import TokenTrigger

__all__ = [
    "CHMNIST_TRIGGER",
    "CIFAR10_TRIGGER",
    "DBA_CIFAR10_TRIGGER",
    "DBA_MNIST_TRIGGER",
    "HAR_TRIGGER",
    "MNIST_TRIGGER",
    "BlendedTrigger",
    "CleanLabelTrigger",
    "FeatureTrigger",
    "LearntTrigger",
    "MissingTrigger",
    "OutsideTrigger",
    "PixelTrigger",
    "SemanticTrigger",
    "SinusoidalTrigger",
    "TailTrigger",
    "TokenTrigger",
    "Trigger",
    "default_trigger",
    "distributed_trigger",
]
