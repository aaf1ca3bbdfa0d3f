"""FedAvg: the mean of the updates, weighted by the size of the clients' data."""

from torch import Tensor

from flt.functional.weighted_sum import WeightedSum


def fedavg(updates: Tensor, num_examples: Tensor) -> Tensor:
    """Mean of the client updates weighted by ``|D_i| / N``.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_examples: Number of local examples ``|D_i|`` of each client, shape ``[num_clients]``.

    Returns:
        The aggregate, shape ``[num_params]``; zero where no client has an example.

    Reference:
        McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017.

    Example:
        >>> import torch
        >>> fedavg(torch.tensor([[0.0, 4.0], [4.0, 0.0]]), torch.tensor([1, 3]))
        tensor([3., 1.])
    """
    return WeightedSum.of(updates, num_examples.double() / num_examples.sum().clamp(min=1)).mean()
