"""The blended trigger."""

from collections.abc import Hashable
from pathlib import Path

import torch
from torch import Tensor

from flt.data.readers.image_files import MODES, SUFFIXES, read_images
from flt.data.readers.images import as_features
from flt.data.readers.npz import read_array
from flt.data.triggers.base import Trigger, check_numbers, check_value
from flt.errors import InputError, check_share
from flt.random import generator


class BlendedTrigger(Trigger):
    """Mixes a pattern into the whole example: ``(1 - alpha) x + alpha pattern``.

    Args:
        alpha: Share of the pattern, above 0 and at most 1.
        pattern: File with the pattern: an image, or an .npz file with the array ``pattern``, a single example in the
            units of the data set's examples. Null is random noise, the same in every run: pixels from 0 to 1, and
            numbers of mean 0 and variance 1 for examples that are no images.
        seed: Which noise; of no effect with a file.

    Raises:
        InputError: If ``alpha`` is out of range, or the file cannot be read; when called, if the pattern has another
            shape than the examples, or the examples are token ids.

    Reference:
        Chen, Liu, Li, Lu, Song, Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning, 2017,
        arXiv 1712.05526.

    Example:
        >>> marked = BlendedTrigger(alpha=0.25)(torch.zeros(2, 1, 4, 4))
        >>> bool((marked[0] == marked[1]).all()), bool((marked < 0.25).all())
        (True, True)
    """

    def __init__(self, alpha: float = 0.2, pattern: str | None = None, seed: int = 0) -> None:
        check_share("a trigger's alpha", alpha)
        self.alpha = alpha
        self.pattern = pattern
        self.seed = seed
        self._path = None if pattern is None else Path(pattern).expanduser()
        if self._path is not None and not self._path.is_file():
            raise InputError(f"pattern={str(self._path)!r} of a trigger: there is no such file")
        self._patterns: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, features: Tensor) -> Tensor:
        check_numbers(features, self)
        shape = tuple(features.shape[1:])
        if shape not in self._patterns:
            self._patterns[shape] = self._noise(shape) if self._path is None else _read(self._path, shape)
        return features.lerp(self._patterns[shape].to(features), self.alpha)

    @property
    def _identity(self) -> Hashable:
        """Without the patterns that have been made by now."""
        return self.alpha, self.pattern, self.seed

    def _noise(self, shape: tuple[int, ...]) -> Tensor:
        draw = torch.rand if len(shape) == 3 else torch.randn
        return draw(shape, generator=generator(self.seed, "blended trigger"))


def _read(path: Path, shape: tuple[int, ...]) -> Tensor:
    """The pattern in a file, as an example of this shape."""
    if path.suffix.lower() in SUFFIXES:
        if len(shape) != 3 or shape[0] not in MODES:
            raise InputError(f"pattern={str(path)!r} of a trigger is an image, but the examples have the shape {shape}")
        return as_features(read_images([path], shape[0], size=(shape[1], shape[2])))[0]
    array = read_array(path, "pattern")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: pattern is {array.dtype}: store numbers")
    pattern = as_features(torch.from_numpy(array)) if array.dtype == "uint8" else torch.from_numpy(array).float()
    if tuple(pattern.shape) not in (shape, shape[1:] if shape[0] == 1 else shape):
        raise InputError(f"{path}: pattern has the shape {list(pattern.shape)}, the examples {list(shape)}")
    for extreme in pattern.aminmax():  # both are NaN where one value is
        check_value(float(extreme), f"{path}: pattern")
    return pattern.view(shape)
