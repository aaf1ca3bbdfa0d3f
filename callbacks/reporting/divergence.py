"""Telling a run that diverges, from the training losses that are logged anyway."""

import logging
from collections.abc import Mapping, Sequence

from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_only

GROWTH = 1e6
"""A training loss so many times the first one is past every useful model."""

LOSS = "training_loss"


def has_diverged(rows: Sequence[Mapping[str, float]]) -> bool:
    """Whether the training loss of the last row is `GROWTH` times that of the first row, or no finite number.

    Example:
        >>> has_diverged([{"training_loss": 1.8}, {"training_loss": 2e7}])
        True
    """
    if not rows or LOSS not in rows[0] or LOSS not in rows[-1]:
        return False
    limit = GROWTH * max(rows[0][LOSS], 1e-3)  # a start at nearly 0 leaves nothing to compare with
    return not rows[-1][LOSS] <= limit


def tell_divergence(rows: Sequence[Mapping[str, float]], module: LightningModule) -> None:
    """Says on standard error that a run has diverged, and what to lower."""
    rates = [f"model.{name}={getattr(module, name)}" for name in ("client_lr", "server_lr") if hasattr(module, name)]
    local = getattr(module, "local_settings", None)
    if local is not None and local.loss_reduction == "sum":
        rates.append("set model.loss_reduction=mean")
    rank_zero_only(logging.getLogger("flt").warning)(
        f"the run has diverged: the benign clients' training loss is {rows[-1][LOSS]:.1e} in round"
        f" {rows[-1]['round']:.0f}, after {rows[0][LOSS]:.1e} in round {rows[0]['round']:.0f}; unless the attack is to"
        f" do that, lower {' or '.join(rates)}"
    )
