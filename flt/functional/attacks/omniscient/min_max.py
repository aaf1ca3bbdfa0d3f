"""Min-Max: as far off the mean as the updates that are furthest apart."""

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge, known, sent
from flt.functional.attacks.omniscient.spread import Perturbation, Search, Spread, bisection


def min_max(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    perturbation: Perturbation = "std",
    search: Search = "closed",
    gamma_init: float = 10.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by Min-Max's.

    All of them send ``mean + gamma p``, with the largest gamma at which it is no further from any known update K_i than
    two of these are from each other. With ``a_i = mean - K_i`` and D the largest distance of two,

    ``gamma = min_i (-<a_i, p> + sqrt(<a_i, p>^2 + |p|^2 (D^2 - |a_i|^2))) / |p|^2``

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own).
        perturbation: The direction p: "std", the standard deviation in each coordinate, or "minus_std"; "sign", minus
            the sign of the mean; "unit", minus its unit vector.
        search: "closed" is the formula; "bisection" the authors' search, which ends 1e-5 below or at ``2 gamma_init``.
        gamma_init: The first gamma of the bisection.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021, equation 6.

    Example:
        >>> honest = torch.tensor([[1.0], [3.0], [9.0]])
        >>> min_max(honest, torch.tensor([False, False, True]), perturbation="sign")[2]
        tensor([1.])
    """
    check_choice("perturbation", perturbation, Perturbation)
    check_choice("search", search, Search)
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    spread = Spread.of(updates, rows, perturbation)
    if search == "closed":
        return sent(updates, malicious, spread.reached(largest_stretch(spread)))
    gamma = bisection(lambda tried: bool(spread.distances(tried).max() <= spread.largest_distance), gamma_init)
    return sent(updates, malicious, spread.reached(gamma))


def largest_stretch(spread: Spread) -> Tensor:
    """The largest gamma of `min_max`, a scalar, in closed form; 0 without a direction."""
    left = (spread.largest_distance - spread.squares).clamp(min=0.0)
    reach = (spread.along.square() + spread.square * left).sqrt() - spread.along
    return torch.where(spread.square > 0, reach.min().clamp(min=0.0) / spread.square, 0.0)
