"""Draws the server's root dataset from clean data: the clients' or the server's own."""

import torch
from torch import Tensor

from flt.errors import InputError


def sample_root(
    labels: Tensor,
    *,
    root_size: int,
    num_classes: int,
    bias_probability: float | None,
    biased_class: int,
    generator: torch.Generator,
) -> Tensor:
    """Indices of the examples that make up the root dataset, ascending.

    Case I (``bias_probability=None``) draws uniformly from all examples. Case II draws exactly
    ``round(root_size * bias_probability)`` examples of ``biased_class`` and the rest uniformly from the other classes.

    Args:
        labels: Labels of the examples to draw from, int64 of shape ``[num_examples]``, on the CPU.
        root_size: Number of examples to draw, at least 1 and at most as many as there are.
        num_classes: Number of classes of the data set.
        bias_probability: Fraction of the root dataset that is of ``biased_class``, from 0 to 1; None for Case I.
        biased_class: The class that Case II prefers, from 0 to ``num_classes - 1``.
        generator: Source of the draws.

    Returns:
        Int64 of shape ``[root_size]``.

    Raises:
        InputError: If an argument is out of range or the data have too few examples to draw from.

    Reference:
        Cao et al., "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping", NDSS 2021, section VI-A.

    Example:
        >>> labels = torch.arange(100) % 10
        >>> root = sample_root(labels, root_size=10, num_classes=10, bias_probability=0.4, biased_class=1,
        ...                    generator=torch.Generator().manual_seed(0))
        >>> len(root), int((labels[root] == 1).sum())
        (10, 4)
    """
    check_root_arguments(root_size, bias_probability, biased_class, num_classes)
    if root_size > len(labels):
        raise InputError(f"data.root_size={root_size} exceeds the {len(labels)} examples that it is drawn from")
    if bias_probability is None:
        return _draw(torch.arange(len(labels)), root_size, generator).sort().values
    is_biased = labels == biased_class
    num_biased = round(root_size * bias_probability)
    pools = [
        (is_biased, num_biased, f"class {biased_class}"),
        (~is_biased, root_size - num_biased, "the other classes"),
    ]
    for pool, wanted, name in pools:
        if wanted > (available := int(pool.sum())):
            raise InputError(
                f"data.bias_probability={bias_probability} with data.root_size={root_size} needs {wanted} examples of"
                f" {name}, but there are {available}: choose a smaller data.root_size or another data.bias_probability"
            )
    return torch.cat([_draw(pool.nonzero()[:, 0], wanted, generator) for pool, wanted, _ in pools]).sort().values


def check_root_arguments(root_size: int, bias_probability: float | None, biased_class: int, num_classes: int) -> None:
    """Checks the settings of a root dataset before any data are read.

    Raises:
        InputError: If ``root_size`` is below 1, or the bias or its class is out of range.
    """
    if root_size < 1:
        raise InputError(f"data.root_size={root_size}: the server needs a root dataset of 1 example or more")
    if bias_probability is not None and not 0 <= bias_probability <= 1:
        raise InputError(
            f"data.bias_probability={bias_probability}: give a fraction from 0 to 1, or null for a uniform root dataset"
        )
    if not 0 <= biased_class < num_classes:
        raise InputError(f"data.biased_class={biased_class}: choose a class from 0 to {num_classes - 1}")


def _draw(candidates: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return candidates[torch.randperm(len(candidates), generator=generator)[:count]]
