"""The cosine attack: updates at such an angle to the root update as does most harm to a rule that looks at angles."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from flt.errors import InputError, check_choice
from flt.functional.attacks.knowledge import Knowledge, known, mean_and_deviation, sent
from flt.functional.attacks.tailored.copies import AskedRule, Copies
from flt.functional.attacks.tailored.line_search import is_larger
from flt.functional.distances import norms

Leaning = Literal["sign", "std"]
COSINES = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
PARALLEL = 1e-9  # the part of a vector's length below which what is orthogonal to another is rounding


def cosine_attack(
    updates: Tensor,
    malicious: Tensor,
    root_update: Tensor,
    rule: AskedRule,
    *,
    knowledge: Knowledge = "full",
    perturbation: Leaning = "sign",
    cosines: Sequence[float] = COSINES,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by one at the angle worst for a rule.

    All of them send, with the root update g_0 of direction e and the unit vector o orthogonal to it,

    ``|g_0| (c e + sqrt(1 - c^2) o)``

    for the cosine c at which the rule's aggregate is furthest from the mean of the known updates.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        rule: The server's rule, from updates of all clients to the aggregate.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own, which are taken for
            the benign ones as well where the rule is asked).
        perturbation: What o is the orthogonal part of: "sign", minus the sign of the mean of the known updates; "std",
            their standard deviation in each coordinate, of which both sides are tried. Where nothing is left of it o
            comes from the other one, and then from a coordinate in which g_0 is small.
        cosines: The cosines to try, each between 0 and 1; the rule is asked once for each, for "std" twice, and not at
            all where there is one only.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``; unchanged where the root update
        is zero.

    Example:
        >>> honest, root = torch.tensor([[2.0, 2.0, 1.0], [9.0, 9.0, 9.0]]), torch.tensor([2.0, 2.0, 1.0])
        >>> malicious = torch.tensor([False, True])
        >>> cosine_attack(honest, malicious, root, lambda updates: updates.mean(dim=0), cosines=[0.5])[1]
        tensor([ 1.6124,  1.6124, -1.9495])
    """
    check_choice("perturbation", perturbation, Leaning)
    check_cosines(cosines)
    rows, length = known(updates, malicious, knowledge), float(norms(root_update[None]))
    if not len(rows) or not 0.0 < length < math.inf:
        return updates
    mean, deviation = mean_and_deviation(updates, rows)
    towards = root_update.double() / length
    leaning = [-mean.sign(), deviation] if perturbation == "sign" else [deviation, -mean.sign()]
    copies = Copies(rule, updates, malicious, torch.stack([towards, across(towards, leaning)]), knowledge=knowledge)
    sides = (1.0,) if perturbation == "sign" else (1.0, -1.0)
    tried = [(length * c, side * length * math.sqrt(1.0 - c**2)) for side in sides for c in cosines]
    best, worst = tried[0], -math.inf
    for factors in tried if len(tried) > 1 else ():
        harm = copies.deviation(mean, *factors)
        if worst == -math.inf or is_larger(harm, worst):
            best, worst = factors, harm
    return sent(updates, malicious, copies.vector(*best))


def check_cosines(cosines: Sequence[float], name: str = "cosines") -> None:
    """Raises an `InputError` unless there is a cosine, and each is above 0 and at most 1."""
    if not cosines or not all(0.0 < each <= 1.0 for each in cosines):
        raise InputError(f"{name}={list(cosines)} must be one number or more, each above 0 and at most 1")


def across(towards: Tensor, vectors: Sequence[Tensor]) -> Tensor:
    """The unit vector orthogonal to another one of the first vector that has such a part, shape ``[num_params]``."""
    smallest = torch.zeros_like(towards)
    smallest[towards.abs().argmin()] = 1.0
    for vector in (*vectors, smallest):
        across = vector - (vector @ towards) * towards
        across = across - (across @ towards) * towards  # of which rounding has left a little
        height = across.norm()
        if height > PARALLEL * vector.norm():
            direction: Tensor = across / height
            return direction
    return torch.zeros_like(towards)  # there is but one parameter
