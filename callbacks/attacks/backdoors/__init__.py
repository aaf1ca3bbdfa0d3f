"""Backdoors: attacks on data and training that have triggered examples taken for a class of the attacker's."""

from callbacks.attacks.backdoors.a3fl import A3FL
from callbacks.attacks.backdoors.critical_layers import CriticalLayers

__all__ = ["A3FL", "CriticalLayers"]
