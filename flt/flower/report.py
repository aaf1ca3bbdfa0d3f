"""What a strategy writes of its rounds: metrics.csv, W&B, curves.png."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from callbacks.reporting.metrics import measure, send_rows
from flt.display.curves import drawn_curves, has_curves
from flt.errors import check_count
from flt.federation import Aggregate, Round
from flt.files import write_atomically


class Report:
    """Writes a row of metrics for rounds of a strategy, as a run of the simulator does, and in the end the curves.

    Rows hold what `callbacks.MetricsLogger` says of a round, and what the strategy's ``evaluate_fn`` has measured after
    it. Where nobody is known to be malicious, all clients count as benign.

    Args:
        folder: Folder of runs; this one's, ``version_N`` in it, gets ``metrics.csv`` and ``curves.png``.
        loggers: Lightning's loggers in its place, such as a `WandbLogger`; files go into the folder of the first
            `CSVLogger`.
        title: Headline of the curves; None is the rule's name.
        data: What ``metrics.csv`` calls the data.
        every: Rounds between rows; those with an evaluation and the last have one anyway.

    Raises:
        InputError: If ``every`` is below 1.
    """

    def __init__(
        self,
        folder: str | Path = "runs/flower",
        *,
        loggers: Sequence[Logger] | None = None,
        title: str | None = None,
        data: str = "Flower",
        every: int = 1,
    ) -> None:
        check_count("every", every)
        path = Path(folder)
        own = CSVLogger(str(path.parent), name=path.name)
        self.loggers: Sequence[Logger] = [own] if loggers is None else loggers
        self.title, self.data, self.every = title, data, every
        self.rows: list[dict[str, float]] = []
        self._pending: dict[str, float] = {}
        self._is_due = False
        self._known: set[str] = set()

    def add(self, round: Round, aggregate: Aggregate, others: Mapping[str, float]) -> None:
        """Begins the row of a round.

        Args:
            round: The round as the rule saw it.
            aggregate: What the rule made of it.
            others: Further metrics.
        """
        self._flush()
        number = round.number + 1
        self._pending = {"round": number, **finite({**measure(round, aggregate), **others})}
        self._is_due = number % self.every == 0

    def add_evaluation(self, number: int, metrics: Mapping[str, float]) -> None:
        """Adds what was measured after a round to its row.

        Args:
            number: Rounds that are done; the row of 0 is of the model before the first one, as that of ``flt fit``.
            metrics: What was measured.
        """
        self._pending = {"round": number, **self._pending, **finite(metrics)}
        self._is_due = True

    def finish(self, title: str) -> None:
        """Sends the last row and draws the curves.

        Args:
            title: Headline, if none was given.
        """
        self._is_due = True
        self._flush()
        if not has_curves(self.rows):
            return
        figure = drawn_curves(self.rows, self.title or title)
        folder = next((Path(each.log_dir) for each in self.loggers if isinstance(each, CSVLogger)), None)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / "curves.png", figure)
            logging.getLogger("flwr").info("Files in %s", folder)
        for logger in self.loggers:
            if isinstance(logger, WandbLogger):
                from PIL import Image

                logger.log_image("curves", [Image.open(io.BytesIO(figure))])

    def _flush(self) -> None:
        row, self._pending = self._pending, {}
        if not row or not self._is_due:
            return
        self.rows.append(row)
        new = row.keys() - self._known
        self._known |= new
        for logger in self.loggers:
            send_rows(logger, [row], new, self.data)


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are finite."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
