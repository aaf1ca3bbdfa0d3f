"""The layers that a backdoor needs, and an update that has the backdoor in these alone."""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

from flt.functional.layout import Piece

Success = Callable[[Tensor], Tensor]
"""From updates ``[num_updates, num_params]`` to how often the backdoor succeeds in each model, ``[num_updates]``."""


def layers_of(layout: Sequence[Piece]) -> list[slice]:
    """The entries of each layer in a flat update: of the parameters of one module, weight and bias say, together.

    Example:
        >>> from flt.functional.layout import layout_of
        >>> layers_of(layout_of({"first.weight": (3, 2), "first.bias": (3,), "last.weight": (1, 3)}))
        [slice(0, 9, None), slice(9, 12, None)]
    """
    found = []
    for _, group in groupby(layout, lambda piece: piece.name.rpartition(".")[0]):
        pieces = list(group)
        found.append(slice(pieces[0].place.start, pieces[-1].place.stop))
    return found


def critical_layers(
    benign: Tensor, malicious: Tensor, layers: Sequence[slice], success: Success, *, share: float = 0.8
) -> Tensor:
    """The entries of the layers that carry a backdoor.

    Each layer of the malicious model is put back to the benign one's by itself; by the drop of the backdoor's success
    the layers are in order. They go into the benign model in that order, until it succeeds ``share`` times as often as
    the malicious model. Of equal drops the layer nearer to the input comes first.

    Args:
        benign: Update that a client has trained without the backdoor, shape ``[num_params]``.
        malicious: The one it has trained with it, shape ``[num_params]``.
        layers: Entries of each layer.
        success: How often the backdoor succeeds.
        share: How much of the malicious model's success is enough (tau).

    Returns:
        Boolean mask, shape ``[num_params]``.

    Reference:
        Zhuang, Yu, Wang and Xu, Backdoor Federated Learning by Poisoning Backdoor-Critical Layers, ICLR 2024.

    Example:
        >>> layers, benign, malicious = [slice(0, 1), slice(1, 2)], torch.zeros(2), torch.ones(2)
        >>> critical_layers(benign, malicious, layers, lambda updates: updates[:, 1])
        tensor([False,  True])
    """
    chosen = torch.zeros(len(layers), len(benign), dtype=torch.bool, device=benign.device)
    for row, place in zip(chosen, layers, strict=True):
        row[place] = True
    each_without = torch.where(chosen, benign, malicious)
    *without, whole = success(torch.cat([each_without, malicious[None]])).tolist()
    order = sorted(range(len(layers)), key=lambda layer: without[layer])  # the lowest success is the largest drop
    mask = torch.zeros_like(chosen[0])
    for layer in order:
        mask = mask | chosen[layer]
        # All layers together are the malicious model, which need not be asked again.
        if mask.all() or float(success(torch.where(mask, malicious, benign)[None])) >= share * whole:
            break
    return mask


def with_critical_layers(mask: Tensor, benign_mean: Tensor, malicious: Tensor, *, boost: float = 1.0) -> Tensor:
    """The attackers' benign mean with a backdoor's critical layers from the malicious update.

    ``boost * malicious + max(0, 1 - boost) * benign_mean`` there, ``benign_mean`` elsewhere.

    Args:
        mask: Entries of the critical layers, shape ``[..., num_params]``.
        benign_mean: Mean of what the attackers train without the backdoor, shape ``[num_params]``.
        malicious: What they train with it, shape ``[..., num_params]``.
        boost: Factor of the critical layers (lambda).

    Reference:
        Zhuang, Yu, Wang and Xu, Backdoor Federated Learning by Poisoning Backdoor-Critical Layers, ICLR 2024.

    Example:
        >>> mask, malicious = torch.tensor([True, False]), torch.tensor([4.0, 4.0])
        >>> with_critical_layers(mask, torch.ones(2), malicious, boost=0.5)
        tensor([2.5000, 1.0000])
    """
    return torch.where(mask, boost * malicious + max(0.0, 1.0 - boost) * benign_mean, benign_mean)
