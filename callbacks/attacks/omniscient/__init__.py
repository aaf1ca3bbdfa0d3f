"""Attacks that know the benign updates."""

from callbacks.attacks.omniscient.alie import ALIE
from callbacks.attacks.omniscient.byz_mean import ByzMean
from callbacks.attacks.omniscient.ipm import IPM
from callbacks.attacks.omniscient.mimic import Mimic
from callbacks.attacks.omniscient.min_max import MinMax
from callbacks.attacks.omniscient.min_sum import MinSum
from callbacks.attacks.omniscient.rop import ROP
from callbacks.attacks.omniscient.trapsetter import Trapsetter

__all__ = ["ALIE", "IPM", "ROP", "ByzMean", "Mimic", "MinMax", "MinSum", "Trapsetter"]
