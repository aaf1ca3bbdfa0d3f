"""Model replacement: updates so long that the aggregate is the malicious model."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import known, sent


def model_replacement(
    updates: Tensor,
    malicious: Tensor,
    *,
    scale: float | None = None,
    max_norm: float | None = None,
    server_lr: float = 1.0,
    num_examples: Tensor | None = None,
    total: float | None = None,
) -> Tensor:
    """Updates of all clients with the malicious ones scaled up.

    ``gamma_i g_i`` with ``gamma_i = n / (server_lr m)``, by which the mean of the n clients' updates, m of them
    malicious, moves the global model by ``mean_i g_i`` of the malicious ones, if those of the others are small; or
    ``gamma_i = sum_j n_j / (server_lr m n_i)`` for a mean weighted by the numbers of examples n_j; or
    ``gamma_i = max_norm / |g_i|`` (train-and-scale, S is ``max_norm``).

    Args:
        updates: Updates as all clients have trained them, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        scale: The factor gamma; None for one of the above.
        max_norm: Length of what is sent (S); None for a factor.
        server_lr: Factor of the aggregate in the global model's step (eta).
        num_examples: What each client weighs in the mean, shape ``[num_clients]``; None for 1.
        total: What all clients of the round weigh together, n or ``sum_j n_j``; None for those of the updates.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Bagdasaryan et al., How To Backdoor Federated Learning, AISTATS 2020, equations 3 and 5.

    Example:
        >>> model_replacement(torch.ones(4, 1), torch.tensor([True, True, False, False]), server_lr=0.5).tolist()
        [[4.0], [4.0], [1.0], [1.0]]
    """
    rows = known(updates, malicious, "partial")
    if not len(rows):
        return updates
    own = updates.index_select(0, rows).double()
    if max_norm is not None:
        norms = own.norm(dim=1)
        factors = torch.where(norms > 0, max_norm / norms, 1.0)
    elif scale is not None:
        factors = own.new_full((len(rows),), scale)
    else:
        sizes = own.new_ones(len(updates)) if num_examples is None else num_examples.to(own)
        whole = sizes.sum() if total is None else own.new_tensor(total)
        factors = whole / (server_lr * len(rows) * sizes.index_select(0, rows).clamp(min=1))
    return sent(updates, malicious, own * factors[:, None])
