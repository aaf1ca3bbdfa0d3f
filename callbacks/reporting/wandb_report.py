"""The report of a run on Weights & Biases: histograms over clients, a table of clients, the final curves."""

import io
import math
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from callbacks.reporting.client_errors import ClientErrors
from callbacks.reporting.distributions import DISTRIBUTIONS, ClientMeans, benign_and_malicious, by_client, histogram
from callbacks.reporting.metrics import MetricsLogger, is_due
from callbacks.reporting.summary import RunReport, attack_label, draw_run
from callbacks.reporting.wandb_runs import last_round, prefixed, wandb_loggers
from flt.display.overview import class_counts
from flt.errors import InputError
from flt.federation import Aggregate, FederatedCallback, Round
from flt.federation.plugins import only
from flt.module import FederatedModule
from flt.runs.schema import check, fields, mapping_of
from flt.runs.states import dense

MEANS = ("trust_scores", "weights")
MOST_ROWS = 10_000  # as many as W&B shows of a table


class WandbReport(FederatedCallback):
    """Makes a W&B run readable: axes and summaries, distributions over clients, a table of clients, the final curves.

    Every logged round gets histograms of the clients' trust scores, weights, cosines and relative lengths, benign and
    malicious ones apart; the configuration gets what to group runs by. Does nothing without a `WandbLogger`, and needs
    a `MetricsLogger` beside it.
    """

    def __init__(self) -> None:
        self._means: ClientMeans | None = None
        self._saved: dict[str, Any] = {}
        self._last_rounds: list[int] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Looks for the metrics before work starts."""
        if stage == "fit" and wandb_loggers(trainer) and only(trainer, MetricsLogger) is None:
            raise InputError("WandbReport needs a MetricsLogger: add callbacks.MetricsLogger() to trainer.callbacks")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tells W&B what the x axis is, and what was run."""
        assert isinstance(pl_module, FederatedModule)
        loggers = wandb_loggers(trainer)
        self._last_rounds = [last_round(trainer, logger) for logger in loggers]
        self._means = ClientMeans(pl_module.federation.num_clients) if loggers else None
        if self._means is not None and self._saved:
            self._means.load_state_dict(self._saved)
        for logger in loggers:
            _define_metrics(logger)
            logger.experiment.config.update(_what_was_run(trainer, pl_module), allow_val_change=True)

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Adds the distributions of a round that is logged to its row."""
        if self._means is None or not is_due(trainer, round.number + 1):
            return
        values = by_client(round, aggregate)
        self._means.add(round.client_ids, {name: values[name] for name in MEANS if name in values})
        import wandb  # here, because it takes a second that runs without it need not wait

        groups = benign_and_malicious(values, round.malicious)
        histograms = {
            name: wandb.Histogram(np_histogram=histogram(name.partition("/")[0], vector, len(round)))
            for name, vector in groups.items()
        }
        for logger, last in zip(wandb_loggers(trainer), self._last_rounds, strict=True):
            if round.number >= last:
                # Not yet committed, so that MetricsLogger's row of the round takes them along.
                logger.experiment.log(prefixed(logger, histograms), commit=False)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs the table of clients and the curves."""
        if self._means is None:
            return
        import wandb
        from PIL import Image

        assert isinstance(pl_module, FederatedModule)
        measured = only(trainer, ClientErrors)
        columns, rows = clients_table(pl_module, self._means, errors=measured and measured.errors)
        figure = _figure(trainer, pl_module)
        for logger in wandb_loggers(trainer):
            values: dict[str, Any] = {"round": trainer.global_step, "clients": wandb.Table(columns, rows)}
            if figure is not None:
                values["curves"] = wandb.Image(Image.open(io.BytesIO(figure)))
            logger.log_metrics(values, step=trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state that checkpoints keep."""
        return {} if self._means is None else self._means.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state from a checkpoint."""
        check(state_dict, fields({"sums": mapping_of(dense), "counts": mapping_of(dense)}))
        self._saved = state_dict


def clients_table(
    module: FederatedModule, means: ClientMeans, *, errors: Tensor | None = None
) -> tuple[list[str | int], list[list[Any]]]:
    """Makes the table of clients: its columns and a row for each client, or for the first `MOST_ROWS` of them.

    Args:
        module: The server; sizes and classes are those before any attack changed the data.
        means: Trust scores and weights over the logged rounds.
        errors: Each client's error at the last evaluation, NaN for a client without one; None if it is not measured.
    """
    federation, data = module.federation, module.data
    sizes = data.clients.sizes.cpu()
    counts = class_counts(data.clients.labels, sizes, data.num_classes)
    classes = [f"class {name}" for name in data.class_names]
    columns: list[str | int] = ["client", "examples", *classes, "malicious", "mean trust score", "mean weight"]
    last: list[list[float | None]] = [[] for _ in range(federation.num_clients)]
    if errors is not None:
        columns.append("error")
        last = [[error if math.isfinite(error) else None] for error in errors.tolist()]
    malicious = federation.malicious_throughout.tolist()
    trust, weights = (means[name] for name in MEANS)
    shown = range(min(federation.num_clients, MOST_ROWS))
    return columns, [
        [
            *(client, int(sizes[client]), *counts[client].tolist()),
            *(malicious[client], trust[client], weights[client], *last[client]),
        ]
        for client in shown
    ]


def _define_metrics(logger: WandbLogger) -> None:
    (round,) = prefixed(logger, {"round": None})
    logger.experiment.define_metric(round)
    for name in prefixed(logger, dict.fromkeys((*(f"{name}/*" for name in DISTRIBUTIONS), "clients", "curves"))):
        logger.experiment.define_metric(name, step_metric=round)


def _what_was_run(trainer: Trainer, module: FederatedModule) -> dict[str, Any]:
    """Returns the flat keys to group runs by; ``data`` and ``attack`` are nested settings and cannot be grouped."""
    return {
        "data_used": module.data.display_name,
        "rule_used": module.rule.label,
        "attack_used": attack_label(trainer),
        "seed_used": module.seed,
    }


def _figure(trainer: Trainer, module: FederatedModule) -> bytes | None:
    """The curves as a PNG file's content; None where there is nothing to draw."""
    report, metrics = only(trainer, RunReport), only(trainer, MetricsLogger)
    if report is not None and report.figure is not None:
        drawn: bytes = report.figure
        return drawn
    return draw_run(trainer, module, metrics)
