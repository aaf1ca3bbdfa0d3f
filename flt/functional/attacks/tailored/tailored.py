"""The attack that is tailored to the rule in force: as far along a direction as does most harm to it."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice, check_count, check_positive
from flt.functional.attacks.knowledge import Knowledge, known, sent
from flt.functional.attacks.omniscient.min_max import largest_stretch
from flt.functional.attacks.omniscient.spread import Perturbation, Spread, bisection
from flt.functional.attacks.tailored.copies import AskedRule, Copies
from flt.functional.attacks.tailored.line_search import LineSearch

Objective = Literal["auto", "deviation"]
FARTHEST = 1e3  # in first steps: a line search against a rule without bounds has to end


def tailored_attack(
    updates: Tensor,
    malicious: Tensor,
    rule: AskedRule,
    *,
    knowledge: Knowledge = "full",
    perturbation: Perturbation = "std",
    objective: Objective = "auto",
    gamma_init: float | None = None,
    evaluations: int = 20,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ``mean + gamma p``, gamma as the rule allows.

    Against a rule that picks one update gamma is the largest at which it picks a malicious one (the paper's equation
    3), found by bisection. Against any other it is the one that takes the aggregate furthest from the mean (equation
    2), found by `LineSearch`. Which of them the rule is follows from its answer to the honest updates.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        rule: The server's rule, from updates of all clients to the aggregate.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own, which are taken for
            the benign ones as well where the rule is asked).
        perturbation: The direction p: "std", the standard deviation in each coordinate, or "minus_std"; "sign", minus
            the sign of the mean; "unit", minus its unit vector.
        objective: "auto", or "deviation" for equation 2 against any rule.
        gamma_init: The first gamma that is tried; the bisection never gets beyond twice, the line search not beyond a
            thousand times as far. None for half of `min_max`'s gamma, which bounds the bisection by it.
        evaluations: How often the rule is asked.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021, section IV.

    Example:
        >>> honest = torch.tensor([[1.0], [2.0], [3.0], [4.0], [9.0]])
        >>> malicious = torch.tensor([False, False, False, False, True])
        >>> mean = lambda updates: updates.mean(dim=0)  # which has no bounds
        >>> tailored_attack(honest, malicious, mean, gamma_init=1.0, perturbation="sign")[4]
        tensor([-997.5000])
    """
    check_choice("perturbation", perturbation, Perturbation)
    check_choice("objective", objective, Objective)
    check_count("evaluations", evaluations)
    if gamma_init is not None:
        check_positive("gamma_init", gamma_init)
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    spread = Spread.of(updates, rows, perturbation)
    first = float(largest_stretch(spread)) / 2.0 if gamma_init is None else gamma_init
    copies = Copies(rule, updates, malicious, torch.stack([spread.mean, spread.direction]), knowledge=knowledge)
    gamma = _best(copies, spread, objective, first, evaluations) if first > 0 and spread.direction.any() else 0.0
    return sent(updates, malicious, copies.vector(1.0, gamma))


def _best(copies: Copies, spread: Spread, objective: Objective, first: float, evaluations: int) -> float:
    """The gamma that does most harm."""
    if objective == "auto" and copies.rule_picks():
        precision = 1.5 * first / 2.0**evaluations  # the last step, but for rounding, is 2/3 of it
        return bisection(lambda gamma: copies.is_picked(1.0, gamma), first, precision=precision)
    search = LineSearch(evaluations=evaluations, delta=first, cap=FARTHEST * first)
    return search.maximise(lambda gamma: copies.deviation(spread.mean, 1.0, gamma))[0]
