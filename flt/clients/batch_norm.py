"""The running statistics of a network's batch normalisation: a part of the global model that no gradient moves."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


def statistics_of(network: nn.Module) -> dict[str, Tensor]:
    """Maps names to the network's own running means and variances; counters of steps are left out."""
    found: dict[str, Tensor] = {}
    for prefix, module in network.named_modules():
        if isinstance(module, _NormBase):
            for name in ("running_mean", "running_var"):
                if (statistic := getattr(module, name)) is not None:
                    found[f"{prefix}.{name}" if prefix else name] = statistic
    return found


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether a layer normalises an example by statistics of its batch, or keeps running statistics."""
    normalises = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
    return normalises or bool(statistics_of(network))


def flatten_statistics(statistics: dict[str, Tensor], device: torch.device) -> Tensor:
    """Joins all statistics into one vector, shape ``[num_statistics]``; its length is 0 if there are none."""
    return torch.cat([torch.zeros(0, device=device), *(statistic.flatten() for statistic in statistics.values())])


@torch.no_grad()
def move_statistics(network: nn.Module, change: Tensor) -> None:
    """Adds ``change``, shape ``[num_statistics]``, to the network's statistics in place.

    A variance that would become negative is set to 0.
    """
    statistics = statistics_of(network)
    pieces = torch.split(change, [statistic.numel() for statistic in statistics.values()])
    for (name, statistic), piece in zip(statistics.items(), pieces, strict=True):
        statistic.add_(piece.view_as(statistic))
        if name.endswith("running_var"):  # negative by rounding, or by the negative weights of FLTrust-NoReLU
            statistic.clamp_(min=0.0)
