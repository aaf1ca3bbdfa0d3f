"""Attacks that know no other client's update."""

from flt.functional.attacks.blind.constants import non_finite, zero_update
from flt.functional.attacks.blind.noise import gaussian_noise, uniform_noise
from flt.functional.attacks.blind.sign_flip import sign_flip

__all__ = ["gaussian_noise", "non_finite", "sign_flip", "uniform_noise", "zero_update"]
