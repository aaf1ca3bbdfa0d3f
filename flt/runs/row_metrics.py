"""Metrics that a module logs, left for the row of their round."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from flt.runs.lightning_overhead import QuickNotes


class RowMetrics(QuickNotes):
    """A module whose metrics the loggers get in the row of a round, rather than from Lightning in rows of their own."""

    to_rows: dict[str, str | None] | None = None
    """Metrics that were logged and are in no row yet, with the hook that did; None where nobody makes rows of them."""

    def log(self, name: str, value: Any, prog_bar: bool = False, logger: bool | None = None, **settings: Any) -> None:  # type: ignore[override]  # hands the rest on
        """Logs a metric as every LightningModule does.

        During training the loggers get it from `MetricsLogger`, in the row of its round, rather than from Lightning in
        a row of its own.

        Args:
            name: The metric.
            value: A number, a tensor of one element or a torchmetrics metric.
            prog_bar: See Lightning.
            logger: Whether loggers get it; null is yes.
            settings: Lightning's other arguments, such as ``on_epoch`` and ``sync_dist``.
        """
        if self.to_rows is not None and logger is not False and self.trainer.state.fn == "fit":
            self.to_rows[name] = self._current_fx_name
            logger = False
        super().log(name, value, prog_bar, logger, **settings)

    def put_into_row(self, values: Mapping[str, Tensor], hook: str) -> None:
        """Does what `log` does for metrics of an evaluation, once for all: calls of it take as long as the evaluation.

        Args:
            values: Metrics by name, the same in every process; for a module with rows, see ``to_rows``.
            hook: The hook to which they belong.
        """
        assert self.to_rows is not None
        self.trainer.callback_metrics.update(values)
        self.to_rows.update(dict.fromkeys(values, hook))
