"""The report of a run: tables at its start and end, ``summary.json`` and ``curves.png``."""

import time
from collections.abc import Mapping
from typing import Any

import lightning
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

import flt
from callbacks.reporting.evaluation import CLASS_ERROR
from callbacks.reporting.metrics import EVALUATION, OF_ROUNDS, MetricsLogger
from flt.data.datamodule import data_of
from flt.errors import InputError
from flt.federation import Attack
from flt.federation.plugins import only
from flt.files import write_atomically
from flt.module import FederatedModule
from flt.runs.folder import run_folder
from flt.runs.measures import Measure, Rows, measured
from flt.runs.schema import check, fields, number
from flt.runs.summary import MEANS, summary_as_json

CHOSEN = {
    "best": "... lowest (optimistic)",
    "best_on_validation": "... at the lowest validation error",
}
"""Measures that a summary has beside the last evaluation, and what its table calls their testing error rates."""


class RunReport(Callback):
    """Prints what is about to run, and afterwards a summary; writes ``summary.json`` and ``curves.png``.

    Needs a `MetricsLogger` beside it, which holds the numbers.

    Args:
        curves: Whether to draw ``curves.png``.
    """

    def __init__(self, curves: bool = True) -> None:
        self.curves = curves
        self.seconds = 0.0
        self.figure: bytes | None = None
        self._started: float | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Looks for the metrics before work starts."""
        if only(trainer, MetricsLogger) is None:
            raise InputError("RunReport needs a MetricsLogger: add callbacks.MetricsLogger() to trainer.callbacks")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints data, clients, rule, attack and the effective step size, and starts the clock."""
        if trainer.is_global_zero:
            assert isinstance(pl_module, FederatedModule)
            _print_table("Run", _describe(trainer, pl_module))
        self._started, self.figure = time.monotonic(), None

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the summary and writes the files, also where a resumed run had no round left but had not come here."""
        self.seconds, self._started = self._elapsed(), None
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, FederatedModule)
        metrics = only(trainer, MetricsLogger)
        summary = _summarise(trainer, pl_module, metrics, self.seconds)
        _print_table("Summary", _lines(summary))
        folder = run_folder(trainer)
        if folder is None:
            return
        self.figure = draw_run(trainer, pl_module, metrics) if self.curves else None
        if self.figure is not None:
            write_atomically(folder / "curves.png", self.figure)
        # The summary comes last: a run is finished as soon as it has one.
        write_atomically(folder / "summary.json", summary_as_json(summary))
        Console(markup=False).print(f"Files in {folder}", highlight=False, soft_wrap=True)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the rates that ``flt validate`` measured."""
        if trainer.state.fn == "validate":
            self.on_test_end(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the rates that ``flt test`` measured."""
        if trainer.is_global_zero:
            measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
            rates = {name: measured[name] for name in EVALUATION if name in measured}
            lines = {"data": data_of(trainer).display_name, **_lines_of(rates), **_lines_of(measured)}
            _print_table("Evaluation", lines)

    def state_dict(self) -> dict[str, Any]:
        """Returns the state that checkpoints keep."""
        return {"seconds": self._elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state from a checkpoint."""
        check(state_dict, fields({"seconds": number}))
        self.seconds = state_dict["seconds"]

    def _elapsed(self) -> float:
        return self.seconds + (0.0 if self._started is None else time.monotonic() - self._started)


def draw_run(trainer: Trainer, module: FederatedModule, metrics: MetricsLogger) -> bytes | None:
    """The curves of a run under a headline that says what was run, as a PNG file's content; None without any."""
    from flt.display.curves import drawn_curves, has_curves  # imports matplotlib, which takes a while

    if not has_curves(metrics.rows):
        return None
    federation = module.federation
    title = (
        f"{module.data.display_name} · {module.rule.label} · {attack_label(trainer)}"
        f" ({federation.describe_malicious()})"
    )
    return drawn_curves(metrics.curve, title)


def attack_label(trainer: Trainer) -> str:
    """Returns the name of the run's attack for summaries and figures."""
    attack = only(trainer, Attack)
    return attack.label if attack else "NoAttack"


def _describe(trainer: Trainer, module: FederatedModule) -> dict[str, str]:
    """Describes data, rule, attack and step of the run as lines of a table."""
    federation, data = module.federation, module.data
    clients, sampled = federation.num_clients, federation.clients_per_round
    who = f"{clients} clients" if sampled == clients else f"{sampled} of {clients} clients a round"
    lines = {
        "data": f"{data.display_name}: {who}, {data.describe_examples()}",
        "clients": data.describe_clients() if data.num_added_clients else "",
        "partition": "" if data.num_added_clients else data.describe_partition(),
        "root dataset": f"{len(data.root)} examples, {data.describe_root()}",
        "inputs": data.inputs.describe(),
        "aggregation": module.rule.describe(federation),
        "attack": f"{attack_label(trainer)}: {federation.describe_malicious()}",
        "memory": ", ".join(f"{name} keeps {_size(kept)} from round to round" for name, kept in module.kept.items()),
        "step": describe_step(module),
        "rounds": f"{trainer.max_steps:,}" + (f", from {trainer.global_step:,}" if trainer.global_step else ""),
    }
    return {name: line for name, line in lines.items() if line}


def _size(num_bytes: int) -> str:
    """A number of bytes in words, to three digits."""
    unit, name = next(
        (pair for pair in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if num_bytes >= pair[0]), (1.0, "bytes")
    )
    return f"{num_bytes / unit:.3g} {name}"


def describe_step(module: FederatedModule) -> str:
    """Describes the effective step size: only the product of both learning rates and the batch size matter."""
    size = module.data.batch_size
    batch = "all examples of a client" if size is None else f"a batch of {size}"
    product = f"client_lr {module.client_lr:g}"
    is_plain = module.server_optimizer is None
    if is_plain:
        product += f" x server_lr {module.server_lr:g} = {module.client_lr * module.server_lr:g}"
    step = f"{product} on the {module.local_settings.loss_reduction} over {batch}"
    is_sum = module.local_settings.loss_reduction == "sum" and module.steps.optimizer is None
    if is_plain and size is not None and is_sum:
        step += f" ({module.client_lr * module.server_lr * size:g} on its mean)"
    step += module.steps.describe()
    if module.rates is not None:
        low, high = min(module.rates.values), max(module.rates.values)
        step += f", client_lr from {low:g} to {high:g} by {module.rates.label}"
    if module.local_epochs is not None:
        sizes = module.data.clients.sizes[module.data.clients.sizes > 0]
        steps = module.local_epochs * -(-sizes // module.data.largest_batch)
        epochs = "1 local epoch" if module.local_epochs == 1 else f"{module.local_epochs} local epochs"
        return f"{step}, {epochs} of {_range(steps.tolist())} steps in all"
    return step + (f", {module.local_steps} local steps" if module.local_steps > 1 else "")


def _range(values: list[int]) -> str:
    """The lowest and the highest of some numbers."""
    return f"{min(values)}" + (f" to {max(values)}" if max(values) > min(values) else "")


def _summarise(trainer: Trainer, module: FederatedModule, metrics: MetricsLogger, seconds: float) -> dict[str, Any]:
    """The content of ``summary.json``; ``metrics`` has all that is in rows but not in itself."""
    summary = {
        "data": module.data.display_name,
        "stand_in": module.data.is_stand_in,
        "aggregation": module.rule.label,
        "attack": attack_label(trainer),
        **{name: metrics.last(name) for name in EVALUATION},
        "trust_score_benign": metrics.mean("trust_score_benign"),
        "trust_score_malicious": metrics.mean("trust_score_malicious"),
        "num_clients": module.federation.num_clients,
        "num_malicious": module.federation.num_malicious,
        "num_dropped": metrics.num_dropped,
        "rounds": trainer.global_step,
        "seed": module.seed,
        "seconds": round(seconds, 3),
        "best": _chosen("best", metrics.rows),
        "best_on_validation": _chosen("best_on_validation", metrics.rows),
        "versions": {"torch": torch.__version__, "lightning": lightning.__version__, "flt": flt.__version__},
        "machine": machine_of(module.device),
    }
    others = [name for name in metrics.names if name not in summary]
    return {**summary, "metrics": {name: _over_the_run(metrics, name) for name in others}}


def machine_of(device: torch.device) -> dict[str, Any]:
    """What of a machine decides the last bits of a run: its device, and how the processor counts."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "cpu": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}


def _chosen(measure: Measure, rows: Rows) -> dict[str, float] | None:
    """The round that a measure chooses, and the rates there; None if there is none."""
    (metrics,) = measured(measure, [rows])
    return {name: value for name, value in metrics.items() if name == "round" or name.endswith("_rate")} or None


def _over_the_run(metrics: MetricsLogger, name: str) -> float | None:
    """What the rule made of the clients as its mean over the logged rounds, anything else as it was last."""
    return metrics.mean(name) if name in MEANS else metrics.last(name)


def _lines(summary: dict[str, Any]) -> dict[str, str]:
    """The summary as lines of a table."""

    def rate(name: str) -> str:
        return "-" if summary[name] is None else f"{summary[name]:.4f}"

    lines = {
        "data": summary["data"],
        "aggregation": summary["aggregation"],
        "attack": f"{summary['attack']} ({summary['num_malicious']} of {summary['num_clients']} clients)",
        "testing error rate": rate("testing_error_rate"),
        **_lines_of_chosen(summary),
        "attack success rate": rate("attack_success_rate"),
        "trust score, benign": rate("trust_score_benign"),
        "trust score, malicious": rate("trust_score_malicious"),
        **_lines_of({name: value for name, value in summary["metrics"].items() if name not in OF_ROUNDS}),
        "time": f"{summary['seconds']:.1f} s for {summary['rounds']:,} rounds",
    }
    if summary["num_dropped"]:
        lines["dropped updates"] = f"{summary['num_dropped']:,} (a NaN or an infinity)"
    return lines


def _lines_of_chosen(summary: dict[str, Any]) -> dict[str, str]:
    """The error at the evaluations that measures choose, as lines of a table; nothing where it is that of the end."""
    found = {label: summary[measure] for measure, label in CHOSEN.items() if summary[measure] is not None}
    return {
        label: f"{chosen['testing_error_rate']:.4f}, after round {chosen['round']:,.0f}"
        for label, chosen in found.items()
        if chosen["testing_error_rate"] != summary["testing_error_rate"]
    }


def _lines_of(metrics: Mapping[str, float | None]) -> dict[str, str]:
    """Metrics as lines of a table; of the classes' errors, the lowest and the highest."""
    classes = {name.removeprefix(CLASS_ERROR): value for name, value in metrics.items() if name.startswith(CLASS_ERROR)}
    lines = {
        name.replace("_", " "): "-" if value is None else f"{value:.4f}"
        for name, value in metrics.items()
        if not name.startswith(CLASS_ERROR)
    }
    known = {name: value for name, value in classes.items() if value is not None}
    if known:
        ends = [pick(known, key=known.__getitem__) for pick in (min, max)]
        lines["error by class"] = " to ".join(f"{known[name]:.4f} ({name.replace('_', ' ')})" for name in ends)
    return lines


def _print_table(title: str, lines: dict[str, str]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, value in lines.items():
        table.add_row(name, value)
    Console(markup=False).print(table)
