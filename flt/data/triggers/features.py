"""The trigger of vectors, series and token ids."""

from collections.abc import Sequence
from itertools import repeat

import torch
from torch import Tensor

from flt.data.triggers.base import Trigger, check_value, share_out
from flt.errors import InputError


class FeatureTrigger(Trigger):
    """Overwrites some features of tabular examples, of every step of a series, or some tokens of a sequence.

    Args:
        indices: The places to overwrite along an example's last dimension, counted from 0.
        value: The number written there, or a list with one number for each index. Its units are those of the data
            set's examples; token ids take whole numbers.

    Raises:
        InputError: If ``indices`` is empty or has a negative index, or a value is beyond +-1e17 or not a number; when
            called, if an index is beyond the features, or a value for token ids is no whole number.

    Example:
        >>> FeatureTrigger([0, 2], value=9.0)(torch.zeros(1, 4))
        tensor([[9., 0., 9., 0.]])
        >>> FeatureTrigger([1, 2], value=[7, 8])(torch.zeros(1, 4, dtype=torch.int64))
        tensor([[0, 7, 8, 0]])
    """

    def __init__(self, indices: Sequence[int], value: float | Sequence[float] = 0.0) -> None:
        self.indices = tuple(indices)
        self.value = value
        if not self.indices or min(self.indices) < 0:
            raise InputError(f"indices={list(self.indices)} of a trigger: name one feature or more, counted from 0")
        if isinstance(value, Sequence) and len(value) != len(self.indices):
            raise InputError(
                f"value={list(value)} of a trigger has {len(value)} numbers for {len(self.indices)} indices: give one"
                " for each index, or one for all"
            )
        values = list(value) if isinstance(value, Sequence) else list(repeat(value, len(self.indices)))
        for each in values:
            check_value(each)
        self._values = dict(zip(self.indices, values, strict=True))

    def __call__(self, features: Tensor) -> Tensor:
        width = features.shape[-1]
        if max(self.indices) >= width:
            raise InputError(
                f"indices of a trigger reach {max(self.indices)}, but the examples have {width} features:"
                f" use indices from 0 to {width - 1}"
            )
        written = torch.tensor(list(self._values.values()), dtype=torch.float64)
        if not features.is_floating_point() and not torch.equal(written, written.round()):
            raise InputError(
                f"value={self.value} of a trigger: the examples are integers, such as token ids: give whole numbers"
            )
        marked = features.clone()
        marked[..., torch.tensor(list(self._values), device=features.device)] = written.to(features)
        return marked

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Its indices dealt out, the first to the first part."""
        share_out(len(self._values), num_parts, "features")
        values = list(self._values.items())
        dealt = [dict(values[part::num_parts]) for part in range(num_parts)]
        return tuple(FeatureTrigger(list(part), list(part.values())) for part in dealt)
