"""CAF, the covariance-bound agnostic filter: weighs down what stands out, until as much is gone as may be malicious."""

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum

NEGLIGIBLE = 1e-12  # of the rows' total variance: what rounding leaves of none
PASSES = 4  # per update, at most; needed only where dropped updates are compared with


def caf(updates: Tensor, *, num_byzantine: int, compare_dropped: bool = True) -> Tensor:
    """The weighted mean with the smallest variance along any direction, of those that a filter goes through.

    All weights c_i start at 1. As long as more than ``n - 2 f`` is left of them, each is multiplied by
    ``1 - t_i / max t``, where ``t_i = <g_i - mean, v>^2`` along the top eigenvector v of the weighted covariance. There
    are no more than 4 n passes.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.
        compare_dropped: Whether the maximum is that of all updates, those without weight among them, as in the authors'
            code; else it is that of updates with any weight, and each pass takes all of it from at least one.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Allouah, Guerraoui and Stephan, Towards Trustworthy Federated Learning with Untrusted Participants, ICML 2025.

    Example:
        >>> caf(torch.tensor([[0.0], [1.0], [2.0], [90.0]]), num_byzantine=1).round(decimals=2)
        tensor([1.0100])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: CAF needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    weights = caf_weights(Gram.of(updates), num_byzantine=num_byzantine, compare_dropped=compare_dropped)
    return WeightedSum.of(updates, weights).mean()


def caf_weights(gram: Gram, *, num_byzantine: int, compare_dropped: bool = True) -> Tensor:
    """Each client's share of the mean that `caf` is, from inner products; float64, shape ``[num_clients]``."""
    left = torch.ones_like(gram.along)
    enough, least, best = len(left) - 2 * num_byzantine, torch.inf, left / len(left)
    for _ in range(PASSES * len(left)):
        shares = left / left.sum()
        centred, roots = gram.centred(shares), shares.sqrt()
        values, vectors = torch.linalg.eigh(roots[:, None] * centred * roots)
        if values[-1] < least:
            least, best = float(values[-1]), shares
        # Along v, which is a combination of the rows and need not be written down.
        lengths = (centred @ (roots * vectors[:, -1])).square() / values[-1].clamp(min=torch.finfo(values.dtype).tiny)
        largest = lengths.max() if compare_dropped else lengths[left > 0].max()
        if values[-1] <= NEGLIGIBLE * values.clamp(min=0.0).sum() or not largest > 0:
            break
        left = left * (1.0 - lengths / largest).clamp(min=0.0)
        if left.sum() <= enough:
            break
    return best
