"""Min-Sum: as far off the mean as the sum of squared distances of one of the updates from the others allows."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge, known, sent
from flt.functional.attacks.omniscient.spread import Perturbation, Search, Spread, bisection

Bound = Literal["max", "min"]


def min_sum(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    perturbation: Perturbation = "std",
    bound: Bound = "max",
    search: Search = "closed",
    gamma_init: float = 10.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by Min-Sum's.

    All of them send ``mean + gamma p``, with the largest gamma at which the sum of its squared distances from the known
    updates K_i is no larger than that of the K_i that is furthest from the others:

    ``gamma = max_i |mean - K_i| / |p|``

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own).
        perturbation: The direction p: "std", the standard deviation in each coordinate, or "minus_std"; "sign", minus
            the sign of the mean; "unit", minus its unit vector.
        bound: "max" is the paper's; "min", the K_i that is nearest to the others, is that of the authors' notebooks.
        search: "closed" is the formula; "bisection" the authors' search, which ends 1e-5 below or at ``2 gamma_init``.
        gamma_init: The first gamma of the bisection.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021, equation 7.

    Example:
        >>> honest = torch.tensor([[1.0], [3.0], [9.0]])
        >>> min_sum(honest, torch.tensor([False, False, True]), perturbation="sign")[2]
        tensor([1.])
    """
    check_choice("perturbation", perturbation, Perturbation)
    check_choice("bound", bound, Bound)
    check_choice("search", search, Search)
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    spread = Spread.of(updates, rows, perturbation)
    largest = spread.squares.max() if bound == "max" else spread.squares.min()
    if search == "bisection":
        gamma = bisection(lambda tried: bool(tried**2 * spread.square <= largest), gamma_init)
        return sent(updates, malicious, spread.reached(gamma))
    return sent(updates, malicious, spread.reached(torch.where(spread.square > 0, (largest / spread.square).sqrt(), 0)))
