"""The sinusoidal trigger."""

import math

import torch
from torch import Tensor

from flt.data.triggers.base import Trigger, check_numbers, check_value
from flt.errors import InputError

MOST_PERIODS = 1e6


class SinusoidalTrigger(Trigger):
    """Adds a wave along the columns of images (SIG), or along the last dimension of vectors and series.

    Column j of W gets ``amplitude * sin(2 pi j frequency / W)``, j counted from 1, in all rows and channels. Pixels
    stay within 0 and 1.

    Args:
        amplitude: Height of the wave (delta); images range from 0 (black) to 1. The default is 20 of 255 levels.
        frequency: Periods in the width of an example (f).

    Raises:
        InputError: If ``amplitude`` is 0, beyond +-1e17 or not a number, or ``frequency`` is not above 0 or beyond a
            million; when called, if the wave is 0 in every column, or the examples are token ids.

    Reference:
        Barni, Kallas, Tondi, A New Backdoor Attack in CNNs by Training Set Corruption without Label Poisoning, ICIP
        2019.

    Example:
        >>> SinusoidalTrigger(0.5, frequency=1)(torch.full((1, 4), 2.0))
        tensor([[2.5000, 2.0000, 1.5000, 2.0000]])
    """

    def __init__(self, amplitude: float = 20 / 255, frequency: float = 6.0) -> None:
        check_value(amplitude, "amplitude")
        if amplitude == 0:
            raise InputError("amplitude=0 of a trigger leaves examples as they are: give another number")
        if not 0 < frequency <= MOST_PERIODS:
            raise InputError(f"frequency={frequency} of a trigger must be above 0 and at most {MOST_PERIODS:g}")
        self.amplitude = amplitude
        self.frequency = frequency

    def __call__(self, features: Tensor) -> Tensor:
        check_numbers(features, self)
        width = features.shape[-1]
        columns = torch.arange(1, width + 1, dtype=torch.float64)
        wave = (2 * math.pi * self.frequency / width * columns).sin()
        if wave.abs().max() < 1e-6:
            raise InputError(
                f"frequency={self.frequency} of a trigger: the wave is 0 in each of the {width} columns of an example:"
                " give another number"
            )
        marked = features + (self.amplitude * wave).to(features)
        return marked.clamp_(0, 1) if features.dim() == 4 else marked
