"""Collects the numbers of every round and sends them to the loggers."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger

from callbacks.reporting.divergence import has_diverged, tell_divergence
from callbacks.reporting.wandb_runs import define, last_round
from flt.data.datamodule import data_of
from flt.errors import InputError
from flt.federation import Aggregate, FederatedCallback, Round
from flt.module import FederatedModule
from flt.runs.schema import all_of, check, count, fields, list_of, mapping_of, number

ROW = all_of(fields({"round": number}), mapping_of(number))
"""What a row that a checkpoint keeps looks like."""

EVALUATION = ("testing_error_rate", "attack_success_rate")
KEPT = ("kept_benign", "kept_malicious")
WEIGHTS = ("weight_benign", "weight_malicious")
OF_ROUNDS = (
    *("training_loss", "trust_score_benign", "trust_score_malicious", *WEIGHTS),
    *("update_norm", "root_update_norm", "num_dropped", "client_lr"),
)
TAKEN = {"round", "step", "epoch", "data", *OF_ROUNDS, *KEPT}
"""Names that no metric of a user's own may have."""


class MetricsLogger(FederatedCallback):
    """Logs one row of metrics every ``trainer.log_every_n_steps`` rounds, at every evaluation and at the last round.

    The loggers' first row is of round 0, the rates of the model before the first round; it is none of ``rows``.

    A row holds the round, testing error rate and attack success rate (where evaluated), the benign clients' training
    loss, mean trust scores and weights of benign and malicious clients and the share of either that the rule kept, the
    length of aggregate and root update, how many updates were dropped, the clients' learning rate where it follows a
    schedule, and what callbacks or the module log with
    ``self.log`` in the round or the evaluation after it. Of a rule that looks for attackers, ``1 - kept_malicious`` is
    the rate of true positives, ``1 - kept_benign`` that of false ones. Where an attack has a schedule, clients are
    malicious in rounds in which they attack, and others have no values of malicious clients. The rows travel in
    checkpoints, so the log of a resumed run is complete.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.start: dict[str, float] = {}
        self.num_dropped = 0
        self._pending: dict[str, float] = {}
        self._is_told = False  # that the run has diverged
        self._last_rounds: list[int] = []
        self._known: set[str] = set()  # names that the loggers have had before

    @property
    def curve(self) -> list[dict[str, float]]:
        """The rows, after that of round 0 where it was measured."""
        return [self.start, *self.rows] if self.start else self.rows

    @property
    def names(self) -> list[str]:
        """The metrics that were logged, in the order of their first rows."""
        return list(dict.fromkeys(name for row in self.rows for name in row if name != "round"))

    def mean(self, name: str) -> float | None:
        """Mean of a metric over the logged rounds, None if it was never logged."""
        values = [row[name] for row in self.rows if name in row]
        return sum(values) / len(values) if values else None

    def last(self, name: str) -> float | None:
        """A metric when it was last logged, None if it never was."""
        return next((row[name] for row in reversed(self.rows) if name in row), None)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Asks the module to leave what is logged during training to the rows."""
        if isinstance(pl_module, FederatedModule):
            pl_module.to_rows = {} if stage == "fit" else None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gives the loggers of a resumed run the rows of the rounds before, unless they have them."""
        self._last_rounds = [last_round(trainer, logger) for logger in trainer.loggers]
        self._known = set()
        self._is_told = has_diverged(self.rows)
        self._send(trainer, self.curve)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sends the row of round 0."""
        if isinstance(pl_module, FederatedModule) and not trainer.global_step and not self.rows:
            rates = pl_module.rates_at_start()
            self.start = {"round": 0, **rates} if rates else {}
            self._send(trainer, self.curve)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Sends the row of the round before."""
        # A callback ahead of this one may have logged something of the round that starts here.
        self._take(trainer, pl_module, but_of="on_train_batch_start")
        self._flush(trainer)

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Starts the row of a round that is due."""
        self.num_dropped += round.num_dropped
        if not is_due(trainer, round.number + 1):
            return
        self._pending = {"round": round.number + 1, **measure(round, aggregate)}
        module = trainer.lightning_module
        if isinstance(module, FederatedModule) and module.rates is not None:
            self._pending["client_lr"] = module.round_lr(round.number)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds what was logged in the round to its row."""
        self._take(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds what was logged in the evaluation to the row of the round before it."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._pending = {"round": trainer.global_step, **self._pending}
            self._take(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sends the last row, with what was logged for the run as a whole."""
        self._take(trainer, pl_module)
        self._flush(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Sends the last row of a run that is broken off."""
        self._flush(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state that checkpoints keep."""
        rows = [*self.curve, self._pending] if self._pending else self.curve
        return {"rows": rows, "num_dropped": self.num_dropped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state from a checkpoint."""
        check(state_dict, fields({"rows": list_of(ROW), "num_dropped": count}))
        rows = state_dict["rows"]
        begins = bool(rows) and rows[0]["round"] == 0
        self.start, self.rows = (rows[0], rows[1:]) if begins else ({}, rows)
        self.num_dropped = state_dict["num_dropped"]

    def _take(self, trainer: Trainer, module: LightningModule, *, but_of: str = "") -> None:
        """Moves what was logged since the last time to the row that is being made; it is lost if no row is due.

        Args:
            trainer: The trainer.
            module: The server.
            but_of: A hook whose metrics are left for the next row.
        """
        logged = module.to_rows if isinstance(module, FederatedModule) else None
        if not logged:
            return
        known = trainer.callback_metrics if self._pending else {}
        for name in [name for name, hook in logged.items() if hook != but_of]:
            if name in TAKEN:
                raise InputError(f"self.log({name!r}, ...): rows have a column of that name; choose another")
            if name in known:
                self._pending[name] = float(known[name])
            if name in known or not self._pending:
                del logged[name]

    def _flush(self, trainer: Trainer) -> None:
        if self._pending:
            row, self._pending = self._pending, {}  # first, as a disk may be full
            self.rows.append(row)
            if not self._is_told and has_diverged(self.rows):
                tell_divergence(self.rows, trainer.lightning_module)
                self._is_told = True
            self._send(trainer, [row])

    def _send(self, trainer: Trainer, rows: list[dict[str, float]]) -> None:
        new = {name for row in rows for name in row} - self._known
        self._known |= new
        data = data_of(trainer).display_name
        for logger, last in zip(trainer.loggers, self._last_rounds, strict=True):
            send_rows(logger, [row for row in rows if row["round"] > last], new, data)


def send_rows(logger: Logger, rows: Iterable[Mapping[str, float]], new: Collection[str], data: str) -> None:
    """Gives a logger rows of metrics.

    Args:
        logger: The logger.
        rows: The rows, each with its ``round``.
        new: Names that it has had no row with yet.
        data: What a CSV file calls the data.
    """
    define(logger, new)
    is_file = isinstance(logger, CSVLogger)
    for row in rows:
        values: dict[str, Any] = {**row, **({"data": data} if is_file else {})}
        logger.log_metrics(values, step=int(row["round"]))
    if is_file:
        logger.save()  # a long run can be watched, and one that is killed has lost nothing


def is_due(trainer: Trainer, done: int) -> bool:
    """Whether the round that completes ``done`` rounds is logged."""
    intervals = (trainer.log_every_n_steps, trainer.val_check_batch)  # type: ignore[attr-defined]
    return done == trainer.max_steps or any(interval and done % interval == 0 for interval in intervals)


def measure(round: Round, aggregate: Aggregate) -> dict[str, float]:
    """The metrics of a round, by name.

    Args:
        round: The round as the rule saw it.
        aggregate: What the rule made of it.
    """
    vectors = {"update_norm": aggregate.update, "root_update_norm": round.root_update}
    row = {
        name: torch.linalg.vector_norm(vector, dtype=torch.float64)
        for name, vector in vectors.items()
        if vector is not None
    }
    benign = ~round.malicious
    trained = benign & (round.num_examples > 0)
    if trained.any():
        row["training_loss"] = round.losses.cpu()[trained].mean()
    judgement = aggregate.judgement
    said = {"trust_score": judgement.trust_scores, "weight": judgement.weights, "kept": judgement.takes_part}
    for name, vector in said.items():
        values = None if vector is None else vector.float().cpu()
        for who, mask in (("benign", benign), ("malicious", round.malicious)):
            if values is not None and mask.any():
                row[f"{name}_{who}"] = values[mask].mean()
    return {name: float(value) for name, value in row.items()} | {"num_dropped": round.num_dropped}
