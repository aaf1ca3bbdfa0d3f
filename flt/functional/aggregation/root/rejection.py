"""Rejection by the root dataset: updates without which a rule's result would be better are dropped."""

from collections.abc import Callable

import torch
from torch import Tensor

from flt.functional.aggregation.root.zeno import check_tolerable
from flt.functional.choice import smallest

Measure = Callable[[Tensor], Tensor]


def rejection(
    updates: Tensor, rule: Callable[[Tensor], Tensor], *measures: Measure, num_byzantine: int
) -> tuple[Tensor, Tensor]:
    """A rule's result without the f updates that do the most harm by each of some measures.

    The harm of an update is the measure of ``w`` plus the rule's result, less that of its result without the update.
    The loss as the measure is LFR, the error rate ERR, both of them Union.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        rule: The rule, ``[any, num_params]`` to ``[num_params]``.
        measures: Of ``w`` plus updates on the root dataset, ``[num_updates, num_params]`` to ``[num_updates]``; less
            is better.
        num_byzantine: Malicious clients to tolerate, f.

    Returns:
        The aggregate, shape ``[num_params]``, and which updates it is made of, boolean of shape ``[num_clients]``.

    Raises:
        InputError: If nobody would be left.

    Reference:
        Fang, Cao, Jia and Gong, Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security
        2020.

    Example:
        >>> updates = torch.tensor([[1.0], [2.0], [-9.0]])
        >>> rejection(updates, lambda u: u.mean(dim=0), lambda u: (u[:, 0] - 2).square(), num_byzantine=1)
        (tensor([1.5000]), tensor([ True,  True, False]))
    """
    check_tolerable(num_byzantine * len(measures), len(updates))
    kept = torch.ones(len(updates), dtype=torch.bool, device=updates.device)
    if num_byzantine:
        without = [rule(updates[torch.arange(len(updates), device=updates.device) != i]) for i in range(len(updates))]
        results = torch.stack([rule(updates), *without])
        for measure in measures:
            kept &= least_harmful(harms(measure(results)), num_byzantine=num_byzantine)
    return rule(updates[kept]), kept


def harms(measured: Tensor) -> Tensor:
    """The harm of each update, float64 of shape ``[num_clients]``.

    Args:
        measured: Of the result of all updates, then of that without each of them, shape ``[1 + num_clients]``.
    """
    harm = measured[0].double() - measured[1:].double()
    # Between two results that are no good, none is told from the other.
    return harm.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)


def least_harmful(harm: Tensor, *, num_byzantine: int) -> Tensor:
    """Which updates stay when the f most harmful go; of equal ones those with lower index go."""
    gone = smallest(-harm, num_byzantine)
    return torch.ones_like(harm, dtype=torch.bool).index_fill_(0, gone, False)
