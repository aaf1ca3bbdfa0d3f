"""Attacks that know the benign updates, tensors to tensors."""

from flt.functional.attacks.omniscient.alie import alie, alie_shift
from flt.functional.attacks.omniscient.byz_mean import byz_mean
from flt.functional.attacks.omniscient.ipm import ipm
from flt.functional.attacks.omniscient.min_max import min_max
from flt.functional.attacks.omniscient.min_sum import min_sum

__all__ = ["alie", "alie_shift", "byz_mean", "ipm", "min_max", "min_sum"]
