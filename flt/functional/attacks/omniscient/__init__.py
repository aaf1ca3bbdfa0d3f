"""Attacks that know the benign updates, tensors to tensors."""

from flt.functional.attacks.omniscient.alie import alie, alie_shift
from flt.functional.attacks.omniscient.ipm import ipm

__all__ = ["alie", "alie_shift", "ipm"]
