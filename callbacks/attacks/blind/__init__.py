"""Attacks that know no other client's update."""

from callbacks.attacks.blind.constants import NonFinite, ZeroUpdate
from callbacks.attacks.blind.free_rider import FreeRider
from callbacks.attacks.blind.mpaf import MPAF
from callbacks.attacks.blind.noise import GaussianNoise, UniformNoise
from callbacks.attacks.blind.poisoned_fl import PoisonedFL
from callbacks.attacks.blind.sign_flip import SignFlip
from callbacks.attacks.blind.sybil_noise import SybilNoise

__all__: list[str] = [
    "MPAF",
    "FreeRider",
    "GaussianNoise",
    "NonFinite",
    "PoisonedFL",
    "SignFlip",
    "SybilNoise",
    "UniformNoise",
    "ZeroUpdate",
]
