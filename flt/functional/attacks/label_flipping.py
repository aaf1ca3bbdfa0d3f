"""Label flipping, the attack on data."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from flt.errors import InputError, check_choice

LabelMap = Literal["static", "targeted", "pairwise", "cyclic", "random", "all_to_one"]


def flip_labels(
    labels: Tensor,
    num_classes: int,
    *,
    variant: LabelMap = "static",
    mapping: Mapping[int, int] | None = None,
    target: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The wrong label for each label l of M classes.

    - static: ``M - 1 - l``
    - targeted: what ``mapping`` has for l; classes that it does not name keep their label
    - pairwise: the same in both directions; without a mapping classes 0 and 1 change places, 2 and 3, and so on
    - cyclic: ``(l + 1) mod M``
    - random: any other class, each as likely
    - all_to_one: ``target``

    Args:
        labels: Labels in ``[0, num_classes)``, any shape.
        num_classes: Number of classes M.
        variant: What becomes of a label.
        mapping: New class of some classes, for "targeted" and "pairwise".
        target: The class of "all_to_one".
        generator: Source of the draws of "random", on the CPU.

    Returns:
        Flipped labels, a new tensor of the same shape.

    Raises:
        InputError: If ``variant`` is another word.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section VI-A (static); Tolpegin et al., Data Poisoning Attacks Against Federated
        Learning Systems, ESORICS 2020 (targeted).

    Example:
        >>> flip_labels(torch.tensor([0, 1, 5]), 6)
        tensor([5, 4, 0])
        >>> flip_labels(torch.tensor([0, 3, 7, 9]), 10, variant="targeted", mapping={3: 7})
        tensor([0, 7, 7, 9])
    """
    check_choice("variant", variant, LabelMap)
    if variant == "static":
        return num_classes - 1 - labels
    if variant == "cyclic":
        return (labels + 1) % num_classes
    if variant == "random":
        drawn = torch.randint(max(num_classes - 1, 1), labels.shape, generator=generator).to(labels)
        return torch.where(drawn >= labels, drawn + 1, drawn) % num_classes
    if variant == "all_to_one":
        return torch.full_like(labels, target)
    return _table(num_classes, variant, mapping).to(labels.device)[labels]


def _table(num_classes: int, variant: LabelMap, mapping: Mapping[int, int] | None) -> Tensor:
    """The new class of each class under "targeted" and "pairwise", shape ``[num_classes]``."""
    new = dict(mapping or {})
    if variant == "pairwise":
        new = new or {first: first + 1 for first in range(0, num_classes - 1, 2)}
        new |= both_ways(new)
    return torch.tensor([new.get(label, label) for label in range(num_classes)])


def both_ways(mapping: Mapping[int, int], name: str = "mapping") -> dict[int, int]:
    """The inverse of a mapping of classes that are to change places in pairs.

    Args:
        mapping: New class of each class.
        name: What messages call the mapping.

    Raises:
        InputError: If a class is in two pairs.

    Example:
        >>> both_ways({3: 7})
        {7: 3}
    """
    named = {each for pair in mapping.items() if pair[0] != pair[1] for each in pair}
    pairs = {frozenset(pair) for pair in mapping.items()}
    if len(named) != 2 * len([pair for pair in pairs if len(pair) == 2]):
        raise InputError(f"{name}={dict(mapping)}: with pairwise no class can be in two pairs")
    return {new: old for old, new in mapping.items()}
