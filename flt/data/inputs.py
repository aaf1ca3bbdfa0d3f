"""Augmentation and normalisation of examples on their way from the data set to the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.examples import Examples
from flt.errors import InputError


@dataclass(frozen=True)
class InputPipeline:
    """Augmentation and normalisation of examples, on the device and after any backdoor's trigger.

    Args:
        crop_padding: Black pixels that a training image gets at each side before it is cropped at random to its own
            size; 0 does not crop. 4 is usual for CIFAR-10.
        flip: Whether a training image is mirrored, left to right, half of the time.
        normalize: Whether each channel of images, or each feature of vectors, is brought to mean 0 and variance 1 over
            the training data.
        mean: With ``normalize``, what is subtracted from each channel or feature in place of the training data's mean.
        std: What the difference is then divided by, such as [0.3081] after a ``mean`` of [0.1307], as is usual for
            MNIST.

    Raises:
        InputError: If ``crop_padding`` is negative, or ``mean`` and ``std`` are no pair.
    """

    crop_padding: int = 0
    flip: bool = False
    normalize: bool = False
    mean: list[float] | None = None
    std: list[float] | None = None

    def __post_init__(self) -> None:
        if self.crop_padding < 0:
            raise InputError(f"data.inputs.crop_padding={self.crop_padding} must be 0 or more pixels")
        if self.mean is self.std is None:
            return
        if self.mean is None or self.std is None or len(self.mean) != len(self.std):
            raise InputError(
                f"data.inputs.mean={self.mean} and data.inputs.std={self.std}: give both, a number each per channel"
            )
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if not all(math.isfinite(number) and (name == "mean" or number > 0) for number in numbers):
                raise InputError(f"data.inputs.{name}={numbers}: give finite numbers, for std above 0")
        if not self.normalize:
            rank_zero_warn("data.inputs.mean and data.inputs.std have no effect with normalize=False")

    @property
    def augments(self) -> bool:
        """Whether training images are changed at random."""
        return self.crop_padding > 0 or self.flip

    @property
    def constants(self) -> str:
        """The given mean and deviation in words; empty where the training data have them."""
        return "" if self.mean is None else f" by mean {self.mean} and std {self.std}"

    def describe(self) -> str:
        """The steps in words; empty if there are none."""
        parts = {
            f"crops after a padding of {self.crop_padding}": self.crop_padding,
            "flips": self.flip,
            f"normalised{self.constants}": self.normalize,
        }
        return ", ".join(part for part, is_done in parts.items() if is_done)

    def check(self, examples: Examples) -> None:
        """Checks that ``examples`` can be augmented and normalised as these settings ask for.

        Raises:
            InputError: If they cannot.
        """
        shape = examples.shape
        if self.normalize and examples.are_integers:
            raise InputError(
                "data.inputs.normalize=True: the examples are integers, such as token ids, which have no mean and"
                " variance: leave it out, or store floating-point numbers"
            )
        if self.normalize and self.mean is not None and len(self.mean) not in (1, shape[0]):
            raise InputError(
                f"data.inputs.mean={self.mean} has {len(self.mean)} numbers, and the data set {examples.describe()}:"
                f" give one, or {shape[0]}"
            )
        if self.augments and (len(shape) != 3 or examples.are_integers):
            raise InputError(
                f"data.inputs.crop_padding={self.crop_padding} and data.inputs.flip={self.flip} change images, but the"
                f" data set has {examples.describe()}: leave both out"
            )
        if self.augments and self.crop_padding >= min(shape[1:]):
            raise InputError(
                f"data.inputs.crop_padding={self.crop_padding} must be less than the {min(shape[1:])} pixels of an"
                " image's side: crops could be all black"
            )

    def normalization(self, examples: Examples) -> Normalization | None:
        """The normalisation that these settings ask for, None if they ask for none; ``examples`` are for training."""
        if not self.normalize:
            return None
        if self.mean is None or self.std is None:
            return Normalization.over(examples.features)
        ones = examples.features.new_ones(examples.shape[0])
        return Normalization(*(ones * ones.new_tensor(numbers) for numbers in (self.mean, self.std)))

    def draw(self, num_images: int, generator: torch.Generator) -> Tensor:
        """Random numbers for `augment`: shape ``[num_images, 3]``, two for the crop and one for the flip.

        Args:
            num_images: Number of images to augment.
            generator: Source of the draws, on the CPU, so that every device sees the same images.
        """
        return torch.rand(num_images, 3, generator=generator)

    def augment(self, images: Tensor, draws: Tensor) -> Tensor:
        """Crops and flips each image at random.

        Args:
            images: Shape ``[..., channels, height, width]``; any leading dimensions.
            draws: A row of `draw` for each image.

        Returns:
            A new tensor of the same shape, or ``images`` itself where no augmentation is set.
        """
        if not self.augments:
            return images
        flat = images.flatten(0, -4)
        height, width = flat.shape[-2:]
        shifts = (draws[:, :2, None] * (2 * self.crop_padding + 1)).long()
        rows, columns = shifts[:, 0] + torch.arange(height), torch.arange(width).expand(len(flat), width)
        if self.flip:
            columns = torch.where(draws[:, 2:] < 0.5, columns.flip(1), columns)
        columns = columns + shifts[:, 1]
        padded = torch.nn.functional.pad(flat, (self.crop_padding,) * 4)
        which = torch.arange(len(flat), device=flat.device)[:, None, None]
        # Indexing puts the channels last, which is the memory format that `flt.clients.training` wants.
        cropped = padded[which, :, rows.to(flat.device)[:, :, None], columns.to(flat.device)[:, None, :]]
        return cropped.permute(0, 3, 1, 2).view(images.shape)


@dataclass(frozen=True, eq=False)
class Normalization:
    """Shifts and scales channels of images or features of vectors.

    Args:
        mean: Shape ``[channels]`` or ``[num_features]``.
        scale: Divisors of the differences from the mean, of the same shape.

    Example:
        >>> Normalization.over(torch.tensor([[0.0, 5.0], [2.0, 5.0]]))(torch.tensor([[4.0, 6.0]]))
        tensor([[3., 1.]])
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def over(cls, features: Tensor) -> Normalization:
        """The shift and scale that bring ``features`` to mean 0 and population variance 1.

        Features have the shape ``[num_examples, channels, ...]``. A constant channel is only shifted.
        """
        others = [dim for dim in range(features.ndim) if dim != 1]
        low = features.amin(others)
        # Sums in float64, because squares may leave the range of float32. In blocks, because a copy in float64 would
        # take twice the memory of the data.
        blocks, count = torch.split(features, 4096), features[:, :1].numel()
        mean = torch.stack([block.double().sum(others) for block in blocks]).sum(0) / count
        deviations = (block.double().transpose(1, -1) - mean for block in blocks)
        variance = torch.stack([each.square().flatten(0, -2).sum(0) for each in deviations]).sum(0) / count
        is_constant = low == features.amax(others)  # rounding may leave it a variance above 0
        scale = torch.where(is_constant, 1.0, variance.sqrt())
        return cls(torch.where(is_constant, low, mean).to(features.dtype), scale.to(features.dtype))

    def __call__(self, features: Tensor, channel_dim: int = 1) -> Tensor:
        """A normalised copy of ``features``, whose channels are dimension ``channel_dim``."""
        shape = [1] * features.ndim
        shape[channel_dim] = -1
        return (features - self.mean.view(shape)) / self.scale.view(shape)

    def to(self, device: torch.device | str) -> Normalization:
        """The normalisation with its tensors on ``device``."""
        return Normalization(self.mean.to(device), self.scale.to(device))
