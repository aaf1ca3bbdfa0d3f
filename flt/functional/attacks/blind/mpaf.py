"""MPAF: fake clients who drag the global model towards a model that has learnt nothing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import sent
from flt.functional.layout import Piece


def mpaf(updates: Tensor, malicious: Tensor, parameters: Tensor, target: Tensor, *, scale: float = 1e6) -> Tensor:
    """Updates of all clients with a long way to another model in the place of the malicious ones.

    ``scale (w' - w)`` from all of them, with w' the other model.

    Args:
        updates: Honest updates of all clients, of which nothing is used, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        parameters: The global model w, shape ``[num_params]``.
        target: The other model w', shape ``[num_params]``.
        scale: The factor lambda.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Cao, Gong, MPAF: Model Poisoning Attacks to Federated Learning based on Fake Clients, CVPR Workshops 2022.

    Example:
        >>> malicious, w = torch.tensor([True, False]), torch.tensor([1.0, 2.0, 3.0])
        >>> mpaf(torch.zeros(2, 3), malicious, w, torch.tensor([0.0, 1.0, -1.0]), scale=10.0)[0]
        tensor([-10., -10., -40.])
    """
    return sent(updates, malicious, scale * (target.double() - parameters.double()))


def other_initialization(
    parameters: Tensor, layout: Sequence[Piece] = (), *, generator: torch.Generator | None = None
) -> Tensor:
    """Another draw of a network's initial weights: those that it has, in a random order within each tensor.

    Whatever distribution the weights of a tensor were drawn from, independently of one another, these are drawn from it
    as well; biases that start at zero stay zero.

    Args:
        parameters: Initial weights, shape ``[num_params]``.
        layout: Where each tensor lies in them; none for one tensor.
        generator: Source of the permutations, one for each tensor.

    Returns:
        A new tensor of shape ``[num_params]``.

    Example:
        >>> other_initialization(torch.tensor([1.0, 2.0, 3.0])).sort().values
        tensor([1., 2., 3.])
    """
    other = parameters.clone()
    for place in [piece.place for piece in layout] or [slice(None)]:
        values = parameters[place]
        other[place] = values[torch.randperm(len(values), generator=generator, device=values.device)]
    return other
