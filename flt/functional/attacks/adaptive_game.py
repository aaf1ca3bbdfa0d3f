"""What the adaptive attack wants of a round of FLTrust, as a function of two numbers a malicious client."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flt.functional.aggregation.fltrust import fltrust_sum, root_sum
from flt.functional.distances import inner_products, norms
from flt.functional.trust import FLTRUST, TrustShape


@dataclass(frozen=True)
class Game:
    """What the objective needs to know of a round; the paper's h, up to its constant first term, is

    ``-|g_0| (sum_j ReLU(c_j) a_j + benign_pull) / (sum_j ReLU(c_j) + benign_trust)``

    where malicious client j enters only by ``a_j = s . e_j`` and ``c_j = e_0 . e_j``. Of a variant of FLTrust the trust
    scores are the variant's, the sums over benign clients hold the root update where it takes part, and s . e_i counts
    as often as the update's length has that of the root update.
    """

    sign: Tensor  # s, [num_params]
    root_direction: Tensor  # e_0, [num_params]
    root_norm: float  # |g_0|
    benign_pull: float  # sum over benign i of ReLU(c_i) s . e_i
    benign_trust: float  # sum over benign i of ReLU(c_i)
    before: float  # s . aggregate / |g_0| when nobody attacks

    def value(self, pull: float, trust: float) -> float:
        """The objective h for ``pull = sum_j ReLU(c_j) a_j`` and ``trust = sum_j ReLU(c_j)``, j malicious."""
        return self.root_norm * (self.before - self.after(pull, trust))

    def after(self, pull: float, trust: float) -> float:
        """The aggregate under attack along s over ``|g_0|``, all that an attacker can change of h."""
        total = trust + self.benign_trust
        return (pull + self.benign_pull) / total if abs(total) > 0 else 0.0


def adaptive_objective(directions: Tensor, updates: Tensor, malicious: Tensor, root_update: Tensor) -> float:
    """The adaptive attack's objective h: how far FLTrust's aggregate moves against its sign before the attack.

    Args:
        directions: Unit vectors of the malicious clients, shape ``[num_malicious, num_params]``.
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update, not zero, shape ``[num_params]``.

    Returns:
        h; larger is better for the attacker.

    Example:
        >>> honest, root = torch.ones(3, 2), torch.ones(2)
        >>> malicious = torch.tensor([True, False, False])
        >>> h = adaptive_objective(honest[:1] / 2**0.5, honest, malicious, root)  # sends what it would have sent
        >>> abs(h) < 1e-6
        True
    """
    game = game_of(updates, malicious, root_update)
    trust = (directions @ game.root_direction).double().clamp(min=0)
    return game.value(float(trust @ (directions @ game.sign).double()), float(trust.sum()))


def game_of(updates: Tensor, malicious: Tensor, root_update: Tensor, shape: TrustShape = FLTRUST) -> Game:
    """What the objective needs to know, from arguments as `adaptive_objective` has them; FLTrust in any shape."""
    root_direction, root_norm = direction_of(root_update, updates.dtype)
    weighed = fltrust_sum(updates, root_update, 1.0 / len(updates), shape)
    total = weighed.total.plus(root_sum(root_update, 1.0 / len(updates))) if shape.include_root else weighed.total
    aggregate = total.mean()
    sign = aggregate.sign()
    trust, lengths = weighed.trust_scores[~malicious].double(), weighed.lengths[~malicious]
    # In float64, like the norms: the sum over the parameters of a huge update would overflow.
    pulls = torch.where(lengths > 0, inner_products(updates, sign[None])[~malicious, 0] / lengths, 0.0)
    of_root = float(root_direction @ sign) if shape.include_root else 0.0
    return Game(
        sign=sign,
        root_direction=root_direction,
        root_norm=root_norm,
        benign_pull=float(trust @ (pulls * shape.lengths(lengths / root_norm))) + of_root,
        benign_trust=float(trust.sum()) + shape.include_root,
        before=float(aggregate.double() @ sign.double()) / root_norm,
    )


def direction_of(root_update: Tensor, dtype: torch.dtype) -> tuple[Tensor, float]:
    """The direction e_0 of a root update that is not zero, in the precision of updates, and its length."""
    root_norm = float(norms(root_update[None]))
    return (root_update.double() / root_norm).to(dtype), root_norm
