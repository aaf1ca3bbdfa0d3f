"""Trapsetter: the global model replaced by a bad one near it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import Knowledge, known, mean_of, sent
from flt.functional.layout import Piece

NUM_STEPS = 5  # along each of the two directions
OFFSETS = [number - NUM_STEPS / 2 for number in range(NUM_STEPS)]


def trapsetter(
    updates: Tensor,
    malicious: Tensor,
    step: Tensor,
    *,
    knowledge: Knowledge = "full",
    scale: float = 1.0,
    num_clients: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by what moves the plain mean to a step.

    With m of n clients malicious and b benign, all malicious ones send ``s (n / m) step - (b / m) mean``, so that the
    plain mean of all is ``s step``.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        step: From the global model to the one that is to replace it, shape ``[num_params]``.
        knowledge: Whose mean: "full" (the benign clients') or "partial" (the malicious clients' own honest one, which
            stands for it).
        scale: s.
        num_clients: Clients of the round (n), of whom those without an update here are taken to send the mean; None for
            as many as there are updates.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Yue, Jin, Wong and Dai, Advancing Hybrid Defense for Byzantine Attacks in Federated Learning, arXiv 2409.06474,
        2024.

    Example:
        >>> honest, malicious = torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([False, False, True])
        >>> trapsetter(honest, malicious, torch.tensor([2.0]))
        tensor([[1.],
                [3.],
                [2.]])
    """
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    num_clients, num_malicious = num_clients or len(updates), int(malicious.sum())
    num_benign = num_clients - num_malicious
    wanted = scale * num_clients * step.double() - num_benign * mean_of(updates, rows)
    return sent(updates, malicious, wanted / num_malicious)


def lowest_step(
    parameters: Tensor,
    directions: Tensor,
    layout: Sequence[Piece],
    accuracy: Callable[[Tensor], float],
    *,
    radius: float = 1.0,
) -> Tensor:
    """The step to the least accurate of 25 models around a model, shape ``[num_params]``; the first of equals.

    Two directions, each as long in every parameter tensor as ``radius / 5`` times that tensor, span a grid of the
    models at -2.5, -1.5, -0.5, 0.5 and 1.5 times each.

    Args:
        parameters: Those of the model, w, shape ``[num_params]``.
        directions: Shape ``[2, num_params]``, of any length.
        layout: The parameter tensors.
        accuracy: The accuracy of a model, given the step to it from w.
        radius: Length of the grid along each direction, in lengths of each parameter tensor.

    Example:
        >>> from flt.functional.layout import layout_of
        >>> layout, directions = layout_of({"weight": (2,)}), torch.eye(2)
        >>> lowest_step(torch.tensor([3.0, 4.0]), directions, layout, lambda step: float(step.sum()))
        tensor([-2.5000, -2.5000])
    """
    scaled = directions.clone()
    for piece in layout:
        lengths = directions[:, piece.place].norm(dim=1, keepdim=True)
        wanted = radius / NUM_STEPS * parameters[piece.place].norm()
        scaled[:, piece.place] *= torch.where(lengths > 0, wanted / lengths, 0.0)
    steps = ((first * scaled[0] + second * scaled[1]) for first in OFFSETS for second in OFFSETS)
    return min(((accuracy(step), place, step) for place, step in enumerate(steps)), key=lambda found: found[:2])[2]
