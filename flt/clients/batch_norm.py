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


def statistics_moved(statistics: dict[str, Tensor], change: Tensor) -> dict[str, Tensor]:
    """The statistics plus ``change``, shape ``[num_statistics]``.

    A variance that would become negative is 0.
    """
    pieces = torch.split(change, [statistic.numel() for statistic in statistics.values()])
    moved = {
        name: statistic + piece.view_as(statistic)
        for (name, statistic), piece in zip(statistics.items(), pieces, strict=True)
    }
    # Negative by rounding, or by the negative weights of FLTrust-NoReLU.
    return {name: value.clamp(min=0.0) if name.endswith("running_var") else value for name, value in moved.items()}


@torch.no_grad()
def move_statistics(network: nn.Module, change: Tensor) -> None:
    """Adds ``change``, shape ``[num_statistics]``, to the network's statistics in place; see `statistics_moved`."""
    if not len(change):
        return
    statistics = statistics_of(network)
    for name, value in statistics_moved(statistics, change).items():
        statistics[name].copy_(value)
