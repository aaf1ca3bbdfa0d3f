"""The attack on the optimum of any rule: a search that asks the rule, in the plane in which FLTrust has its optimum."""

import math
from collections.abc import Callable
from itertools import product
from operator import itemgetter

import torch
from torch import Tensor

from flt.errors import InputError, check_choice, check_positive
from flt.functional.attacks.exact import Objective, downhill
from flt.functional.attacks.knowledge import sent
from flt.functional.attacks.tailored.copies import AskedRule, Copies
from flt.functional.attacks.tailored.cosine import across
from flt.functional.attacks.tailored.line_search import is_larger
from flt.functional.distances import norms

FEWEST = 32  # evaluations: a grid of half of them would be too coarse
NUM_LENGTHS = 3  # of the grid, each a tenth of the one before


def searched_attack(
    updates: Tensor,
    malicious: Tensor,
    root_update: Tensor,
    rule: AskedRule,
    *,
    objective: Objective = "sign",
    longest: float = 1.0,
    evaluations: int = 96,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by the worst for a rule that a search finds.

    All of them send ``l |g_0| (cos(t) e_0 + sin(t) p)``, e_0 the root update's direction and p the unit vector along
    which the objective goes on from it. A grid over the angle t, all around, and over lengths l is refined by steps
    that are halved where none of them does more harm. Against FLTrust it finds what `exact_attack` computes.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        rule: The server's rule, from updates of all clients to the aggregate.
        objective: What is to be harmed: "sign" is how far the aggregate goes along its own sign before the attack,
            "progress" how far along the root update, "displacement" how near it stays to the aggregate before the
            attack, "descent" how far along the plain mean of the benign updates.
        longest: Greatest length of malicious updates, in lengths of the root update.
        evaluations: How often the rule is asked, 32 or more; once more for the aggregate before the attack.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``; unchanged where ``root_update``
        is zero or nobody is malicious.

    Reading:
        That all malicious clients send the same is best against a weighted mean whose weights depend on each update
        alone. Against other rules it is one attack of many, and what is found is a lower bound of the harm.

    Example:
        >>> honest, root = torch.eye(3) + 1.0, torch.ones(3)
        >>> malicious, median = torch.tensor([True, True, False]), lambda updates: updates.median(dim=0).values
        >>> searched_attack(honest, malicious, root, median)[0].round(decimals=4)
        tensor([-1., -1., -1.])
    """
    check_choice("objective", objective, Objective)
    check_positive("longest", longest)
    check_evaluations("evaluations", evaluations)
    root_norm = float(norms(root_update[None]))
    if not bool(malicious.any()) or not 0.0 < root_norm < math.inf:
        return updates
    before, towards = rule(updates).double(), root_update.double() / root_norm
    wanted = {
        "sign": before.sign(),
        "progress": towards,
        "displacement": before,
        "descent": downhill(updates, malicious),
    }[objective]
    copies = Copies(rule, updates, malicious, root_norm * torch.stack([towards, across(towards, [wanted])]))

    def harm(angle: float, length: float) -> float:
        answer = copies.answer(length * math.cos(angle), length * math.sin(angle)).double()
        if objective == "displacement":
            return float(torch.linalg.vector_norm(answer - before))
        return -float(answer @ wanted)

    angle, length = _refined(harm, longest, evaluations)
    return sent(updates, malicious, copies.vector(length * math.cos(angle), length * math.sin(angle)))


def check_evaluations(name: str, evaluations: int) -> None:
    """Raises an `InputError` where the rule would be asked too seldom for a grid."""
    if evaluations < FEWEST:
        raise InputError(f"{name}={evaluations} must be {FEWEST} or more: half of them are a grid over angles")


def _refined(harm: Callable[[float, float], float], longest: float, evaluations: int) -> tuple[float, float]:
    """The angle and the length, 0 to ``longest``, that do most harm of those tried."""
    num_angles = evaluations // 2 // NUM_LENGTHS
    angles = [2.0 * math.pi * (place + 0.5) / num_angles for place in range(num_angles)]
    grid = product(angles, [longest / 10.0**power for power in range(NUM_LENGTHS)])
    worst, angle, length = max(((harm(*point), *point) for point in grid), key=itemgetter(0))
    left, turn, factor = evaluations - num_angles * NUM_LENGTHS, math.pi / num_angles, 10.0**0.5
    while left > 0:
        steps = [(angle + turn, length), (angle - turn, length), (angle, length / factor)]
        steps += [(angle, min(length * factor, longest))] * (length < longest)
        tried = [(harm(*point), *point) for point in steps[:left]]
        left -= len(tried)
        best = max(tried, key=itemgetter(0))
        if is_larger(best[0], worst):
            worst, angle, length = best
        else:
            turn, factor = turn / 2.0, factor**0.5
    return angle, length
