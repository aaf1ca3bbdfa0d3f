"""What is taken out of a data set before anybody gets a share of it: examples of rare classes, the validation set."""

from dataclasses import replace

import torch
from torch import Tensor

from flt.data.examples import Examples, RawData
from flt.errors import InputError
from flt.random import generator


def draw_from_each(groups: Tensor, counts: Tensor, *, generator: torch.Generator) -> Tensor:
    """Marks so many of each group's examples at random: boolean mask of shape ``[num_examples]``.

    Args:
        groups: The group of each example, int64 of shape ``[num_examples]``.
        counts: How many of each group to mark, shape ``[num_groups]``; no more than there are.
        generator: Source of the draws.

    Example:
        >>> groups = torch.tensor([0, 0, 1, 1, 1])
        >>> mask = draw_from_each(groups, torch.tensor([1, 2]), generator=torch.Generator().manual_seed(0))
        >>> groups[mask].tolist()
        [0, 1, 1]
    """
    shuffled = torch.randperm(len(groups), generator=generator)
    order = shuffled[groups[shuffled].argsort(stable=True)]
    sizes = groups.bincount(minlength=len(counts))
    rank_in_group = torch.arange(len(groups)) - (sizes.cumsum(0) - sizes)[groups[order]]
    mask = torch.empty(len(groups), dtype=torch.bool)
    mask[order] = rank_in_group < counts[groups[order]]
    return mask


def split_by_owner(owners: Tensor, fraction: float, *, generator: torch.Generator) -> Tensor:
    """Marks ``round(fraction * n)`` of each owner's ``n`` examples at random: boolean mask of shape ``[num_examples]``.

    Args:
        owners: The owner of each example, int64 of shape ``[num_examples]``.
        fraction: Share of each owner's examples to mark, from 0 to 1.
        generator: Source of the draws.

    Example:
        >>> owners = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
        >>> mask = split_by_owner(owners, 0.75, generator=torch.Generator().manual_seed(0))
        >>> owners[mask].tolist()
        [0, 0, 0, 1, 1, 1]
    """
    return draw_from_each(owners, (fraction * owners.bincount()).round(), generator=generator)


def with_long_tail(raw: RawData, factor: float, *, of_test: bool, num_classes: int, seed: int) -> RawData:
    """The data set with fewer examples of later classes: of n examples, class i keeps ``floor(n * factor**i)``.

    Args:
        raw: The data set.
        factor: The factor from class to class, above 0 and at most 1.
        of_test: Whether the test set gets the same long tail.
        num_classes: Number of classes.
        seed: Decides which examples stay.

    Raises:
        InputError: If a class would lose all of its examples.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022, with
        the factor 0.5, in the test set as well. ``class-imbalanced_iid`` of FLPoison thins each client's IID data in
        this way, with the factor ``gamma**(1 / (num_classes - 1))``, and leaves the test set alone.

    Reading:
        Which examples stay is drawn; in the bucketing paper's code they are the first ones of the class.
    """

    def kept(examples: Examples, part: str) -> Tensor:
        before = examples.labels.bincount(minlength=num_classes).tolist()
        after = [int(count * factor**label) for label, count in enumerate(before)]
        for label, (count, left) in enumerate(zip(before, after, strict=True)):
            if count and not left:
                raise InputError(
                    f"data.long_tail={factor} leaves none of the {count} {part} examples of class {label}: choose a"
                    " larger factor"
                )
        return draw_from_each(examples.labels, torch.tensor(after), generator=generator(seed, f"long tail, {part}"))

    mask = kept(raw.train, "training")
    left = replace(raw, train=raw.train[mask], owners=None if raw.owners is None else raw.owners[mask])
    if not of_test:
        return left
    tested, owners = kept(raw.test, "test"), raw.test_owners
    return replace(left, test=raw.test[tested], test_owners=None if owners is None else owners[tested])


def with_first_classes(raw: RawData, test_size: int) -> RawData:
    """The data set with so many test examples, those that come first where all are sorted by class.

    Args:
        raw: The data set.
        test_size: How many, 1 or more.

    Raises:
        InputError: If there are fewer.
    """
    if test_size > len(raw.test):
        raise InputError(f"data.test_size={test_size}: there are {len(raw.test)} test examples; null takes them all")
    first = raw.test.labels.argsort(stable=True)[:test_size].sort().values
    return replace(raw, test=raw.test[first], test_owners=None if raw.test_owners is None else raw.test_owners[first])


def hold_out(raw: RawData, fraction: float, *, seed: int) -> tuple[RawData, Examples]:
    """The data set without a fraction of the training examples, drawn at random, and these as a validation set.

    Where the data set has natural clients, it is the same fraction of each client's examples.

    Args:
        raw: The data set.
        fraction: The fraction, above 0 and less than 1.
        seed: Decides which examples they are.

    Raises:
        InputError: If the fraction is no example, or leaves a client or a class without any.
    """
    size = len(raw.train)
    owners = torch.zeros(size, dtype=torch.int64) if raw.owners is None else raw.owners
    mask = split_by_owner(owners, fraction, generator=generator(seed, "validation"))
    given = f"data.validation_fraction={fraction}"
    if not mask.any():
        raise InputError(f"{given} of {size} training examples is none: choose a larger fraction, or 0")
    for groups, name in ((owners, "client"), (raw.train.labels, "class")):
        groups_left = groups[~mask].bincount(minlength=int(groups.max()) + 1)
        emptied = ((groups_left == 0) & (groups.bincount() > 0)).nonzero().flatten().tolist()
        if emptied:
            which = "the clients" if name == "client" and raw.owners is None else f"{name} {emptied[0]}"
            raise InputError(f"{given} leaves {which} none of the training examples: choose a smaller fraction")
    raw_left = replace(raw, train=raw.train[~mask], owners=None if raw.owners is None else raw.owners[~mask])
    return raw_left, raw.train[mask]
