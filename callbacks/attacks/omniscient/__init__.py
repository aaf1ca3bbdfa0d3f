"""Attacks that know the benign updates."""

from callbacks.attacks.omniscient.alie import ALIE
from callbacks.attacks.omniscient.ipm import IPM

__all__ = ["ALIE", "IPM"]
