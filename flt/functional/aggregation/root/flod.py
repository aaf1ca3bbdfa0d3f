"""FLOD: the mean of the updates' signs, weighted by how many of them agree with the root update's."""

import torch
from torch import Tensor

from flt.errors import check_positive, check_share
from flt.functional.blocks import column_blocks
from flt.functional.choice import whole_part
from flt.functional.rows import Rows
from flt.functional.weighted_sum import WeightedSum


def flod(updates: Tensor, root_update: Tensor, *, step: float, tolerance: float = 0.5) -> Tensor:
    """Mean of ``step * sign(g_i)``, weighted by ``ReLU(t - h_i)``.

    The Hamming distance h_i counts the coordinates along which one of ``g_i`` and ``g_0`` is above 0 and the other is
    not; ``t = floor(tolerance * num_params)``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        step: Length of the step along each coordinate on which all agree; above 0.
        tolerance: Share of the coordinates from which on an update that differs along so many counts nothing, in
            (0, 1].

    Returns:
        The aggregate, shape ``[num_params]``; zero where nobody counts.

    Raises:
        InputError: If ``step`` or ``tolerance`` is out of range.

    Reference:
        Dong et al., FLOD: Oblivious Defender for Private Byzantine-Robust Federated Learning with Dishonest-Majority,
        ESORICS 2021.

    Example:
        >>> flod(torch.tensor([[3.0, 4.0], [1.0, -1.0]]), torch.tensor([1.0, 1.0]), step=0.5)
        tensor([0.5000, 0.5000])
    """
    check_positive("step", step)
    check_share("tolerance", tolerance)
    votes, weights = flod_sum(Rows(updates), root_update, tolerance=tolerance)
    return step * WeightedSum(votes, weights.sum(), updates.dtype).mean()


def flod_sum(rows: Rows, root_update: Tensor, *, tolerance: float) -> tuple[Tensor, Tensor]:
    """The weighted sum of some of the clients' signs, float64 of shape ``[num_params]``, and their weights.

    A client's weight, float64 of shape ``[num_clients]``, is a share of the number of coordinates.
    """
    num_params = len(root_update)
    hamming = torch.zeros(len(rows), dtype=torch.float64, device=root_update.device)
    for block, piece in zip(rows.blocks(), column_blocks(root_update[None]), strict=True):
        hamming += ((block > 0) != (piece > 0)).sum(dim=1)
    weights = (whole_part(tolerance, num_params) - hamming).clamp(min=0.0) / num_params
    factors = weights.to(root_update.dtype)
    return torch.cat([factors @ block.sign() for block in rows.blocks()]).double(), weights
