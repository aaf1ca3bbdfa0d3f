"""Attacks that know no other client's update, tensors to tensors."""

from flt.functional.attacks.blind.constants import non_finite, zero_update
from flt.functional.attacks.blind.free_rider import free_rider, lazy_rider
from flt.functional.attacks.blind.mpaf import mpaf, other_initialization
from flt.functional.attacks.blind.noise import gaussian_noise, uniform_noise
from flt.functional.attacks.blind.poisoned_fl import binomial_quantile, poisoned_fl
from flt.functional.attacks.blind.sign_flip import sign_flip
from flt.functional.attacks.blind.sybil_noise import sybil_noise, sybil_turns

__all__ = [
    "binomial_quantile",
    "free_rider",
    "gaussian_noise",
    "lazy_rider",
    "mpaf",
    "non_finite",
    "other_initialization",
    "poisoned_fl",
    "sign_flip",
    "sybil_noise",
    "sybil_turns",
    "uniform_noise",
    "zero_update",
]
