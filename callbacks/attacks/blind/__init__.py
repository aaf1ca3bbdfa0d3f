"""Attacks that know no other client's update."""

from callbacks.attacks.blind.constants import NonFinite, ZeroUpdate
from callbacks.attacks.blind.noise import GaussianNoise, UniformNoise
from callbacks.attacks.blind.sign_flip import SignFlip

__all__: list[str] = ["GaussianNoise", "NonFinite", "SignFlip", "UniformNoise", "ZeroUpdate"]
