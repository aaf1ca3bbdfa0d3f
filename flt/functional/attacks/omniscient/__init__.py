"""Attacks that know the benign updates, tensors to tensors."""

from flt.functional.attacks.omniscient.alie import alie, alie_shift
from flt.functional.attacks.omniscient.byz_mean import byz_mean
from flt.functional.attacks.omniscient.ipm import ipm
from flt.functional.attacks.omniscient.mimic import mimic
from flt.functional.attacks.omniscient.min_max import min_max
from flt.functional.attacks.omniscient.min_sum import min_sum
from flt.functional.attacks.omniscient.rop import rop
from flt.functional.attacks.omniscient.trapsetter import trapsetter

__all__ = ["alie", "alie_shift", "byz_mean", "ipm", "mimic", "min_max", "min_sum", "rop", "trapsetter"]
