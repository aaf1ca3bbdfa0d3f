"""ALIE and IPM as strong as does most harm to the rule in force."""

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge, known, mean_and_deviation, sent
from flt.functional.attacks.tailored.copies import AskedRule, Copies
from flt.functional.attacks.tailored.line_search import USUAL, LineSearch, is_larger

Signs = Literal["both", "minus", "plus"]
FACTORS: dict[Signs, tuple[float, ...]] = {"both": (-1.0, 1.0), "minus": (-1.0,), "plus": (1.0,)}


def optimized_alie(
    updates: Tensor,
    malicious: Tensor,
    rule: AskedRule,
    *,
    knowledge: Knowledge = "full",
    sign: Signs = "both",
    ddof: int = 0,
    search: LineSearch = USUAL,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ALIE's, with the z that is worst for a rule.

    All of them send ``mean - z deviation`` (or ``+``), both taken coordinate by coordinate over the known updates,
    where ``z >= 0`` maximises the distance of the rule's aggregate from that mean.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        rule: The server's rule, from updates of all clients to the aggregate.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own, which are taken for
            the benign ones as well where the rule is asked).
        sign: "minus" or "plus"; "both" searches on both sides and takes the worse one.
        ddof: What is taken from the number of known updates in the variance's divisor.
        search: How z is searched for; each evaluation asks the rule once, for "both" twice.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Baruch, Baruch and Goldberg, A Little Is Enough: Circumventing Defenses For Distributed Learning, NeurIPS 2019;
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023.

    Example:
        >>> honest, malicious = torch.tensor([[1.0], [3.0], [4.0], [9.0]]), torch.tensor([False, False, False, True])
        >>> median = lambda updates: updates.median(dim=0).values
        >>> optimized_alie(honest, malicious, median)[3] < 1.0
        tensor([True])
    """
    check_choice("sign", sign, Signs)
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    mean, deviation = mean_and_deviation(updates, rows, ddof=ddof)
    copies = Copies(rule, updates, malicious, torch.stack([mean, deviation]), knowledge=knowledge)
    best, worst = 0.0, 0.0
    for factor in FACTORS[sign] if deviation.any() else ():
        z, harm = search.maximise(partial(_harm, copies, mean, factor))
        if is_larger(harm, worst):
            best, worst = factor * z, harm
    return sent(updates, malicious, copies.vector(1.0, best))


def _harm(copies: Copies, mean: Tensor, factor: float, z: float) -> float:
    return copies.deviation(mean, 1.0, factor * z)


def optimized_ipm(
    updates: Tensor,
    malicious: Tensor,
    rule: AskedRule,
    *,
    knowledge: Knowledge = "full",
    search: LineSearch = USUAL,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by IPM's, with the epsilon worst for a rule.

    All of them send ``-epsilon mean``, over the known updates, where ``epsilon >= 0`` maximises the distance of the
    rule's aggregate from that mean.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        rule: The server's rule, from updates of all clients to the aggregate.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own, which are taken for
            the benign ones as well where the rule is asked).
        search: How epsilon is searched for; each evaluation asks the rule once.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Xie, Koyejo and Gupta, Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation, UAI 2019;
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023.

    Example:
        >>> honest, malicious = torch.tensor([[-1.0], [3.0], [4.0], [9.0]]), torch.tensor([False, False, False, True])
        >>> median = lambda updates: updates.median(dim=0).values
        >>> optimized_ipm(honest, malicious, median)[3]
        tensor([-2.])
    """
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    mean = mean_and_deviation(updates, rows)[0]
    copies = Copies(rule, updates, malicious, mean[None], knowledge=knowledge)
    epsilon = search.maximise(lambda epsilon: copies.deviation(mean, -epsilon))[0] if mean.any() else 0.0
    return sent(updates, malicious, copies.vector(-epsilon))
