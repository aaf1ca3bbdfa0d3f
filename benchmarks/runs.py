"""Runs of a configuration for the benchmarks, with Lightning and as a plain loop over clients."""

import contextlib
import copy
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from measure import Timers, in_fresh_processes, peak_memory, quietly, synchronize
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.flop_counter import FlopCounterMode

from callbacks import MetricsLogger
from flt.cli.training import Run, assemble, perform
from flt.clients.draws import RowDraws
from flt.clients.training import LocalTraining
from flt.federation import Aggregation, Attack
from flt.federation.plugins import callbacks_of
from flt.module import FederatedModule
from flt.server import cohort, hearing

CONFIGS = Path(__file__).parents[1] / "configs"
PARTS = ("Lightning", "data", "training", "attack", "checks", "rule", "server step", "metrics", "other")
TIMED = (
    (FederatedModule, "training_step", "other"),
    (FederatedModule, "_server_step", "server step"),
    (RowDraws, "__call__", "data"),
    (cohort, "take_batches", "data"),
    (LocalTraining, "__call__", "training"),
    (LocalTraining, "together", "training"),
    (hearing, "all_finite", "checks"),
    (MetricsLogger, "on_round_end", "metrics"),
)
HOOKS = (
    (Attack, "on_client_updates", "attack"),
    *((Aggregation, name, "rule") for name in ("aggregate", "fold", "finish")),
)


def fit(
    config: Path,
    rounds: int,
    settings: Sequence[str] = (),
    prepare: Callable[[Run], None] | None = None,
    now: Callable[[], float] = time.perf_counter,
    limit_val_batches: float = 0,
) -> tuple[FederatedModule, float]:
    """Trains with Lightning, without evaluation unless told otherwise.

    Args:
        config: The configuration.
        rounds: Rounds of the run.
        settings: Further arguments of ``flt fit``.
        prepare: What to do with the run before it starts.
        now: The clock.
        limit_val_batches: Batches of an evaluation, 1.0 for all; the setting of this name is refused in a run.

    Returns:
        The model with its data, and the seconds from the first round to the last.
    """
    clock = Clock(now)
    gc.collect()  # an earlier run's data, which take memory from this one and are counted as its own
    with tempfile.TemporaryDirectory() as folder, quietly():
        arguments = [f"--trainer.max_steps={rounds}", "--trainer.logger.save_dir", folder]
        run = assemble("fit", ["--config", str(config), *arguments, *settings])
        run.trainer.limit_val_batches = limit_val_batches
        if prepare is not None:
            prepare(run)
        callbacks_of(run.trainer).append(clock)
        perform(run)
    torch.use_deterministic_algorithms(False)  # Lightning leaves them switched on for all runs to come
    return run.model, clock.total


class Clock(Callback):
    """Seconds from the first round to the last, without loading data and drawing the report."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.ends: list[float] = []
        self.total = 0.0

    def on_train_start(self, trainer: Any, module: FederatedModule) -> None:
        synchronize(module.device)
        self.ends = [self.now()]

    def on_train_batch_end(self, trainer: Any, module: FederatedModule, *args: object) -> None:
        self.ends.append(self.now())

    def on_train_epoch_end(self, trainer: Any, module: FederatedModule) -> None:
        synchronize(module.device)
        self.total = self.now() - self.ends[0]

    @property
    def rounds(self) -> list[float]:
        """Seconds of each round, Lightning's share included."""
        return [end - start for start, end in zip(self.ends, self.ends[1:], strict=False)]


def parameters_of(module: FederatedModule) -> Tensor:
    """The global model after a run, as one vector on the CPU."""
    return parameters_to_vector(module.network.parameters()).detach().cpu()


def shares(config: Path, rounds: int, settings: Sequence[str], device: torch.device) -> dict[str, float]:
    """Share of each of `PARTS` in a round, adding up to 1; in a run of its own, as the timers cost a little."""
    timers = Timers(device)

    def watch(run: Run) -> None:
        for callback in callbacks_of(run.trainer):
            for kind, name, part in HOOKS:
                if isinstance(callback, kind) and hasattr(callback, name):
                    setattr(callback, name, timers.timed(part, getattr(callback, name)))

    with timers.on(TIMED):
        _, total = fit(config, rounds, settings, watch)
    inside = sum(timers.seconds.values())
    return {part: timers.seconds[part] / total for part in PARTS} | {"Lightning": 1 - inside / total}


def peak_memory_of(config: Path, settings: Sequence[str], rounds: int = 2) -> float:
    """Largest resident memory, in bytes, of a process that does nothing but two rounds and a batch of evaluation."""
    return in_fresh_processes(_peak_memory_of, (config, rounds, settings))[0]


def _peak_memory_of(config: Path, rounds: int, settings: Sequence[str]) -> float:
    fit(config, rounds, settings, limit_val_batches=1)
    return peak_memory()


class PlainLoop:
    """FLTrust as one would write it without this package, on the same data: clients train one after another.

    Each client does what Algorithm 1 says: takes over the global model, makes an SGD step after `loss.backward()` and
    sends the difference.

    Args:
        module: A trained model with its data.
        bare: Whether to keep only the gradient and skip the copy, the step and the difference.
        dtype: What to cast to while training, if anything.
    """

    def __init__(self, module: FederatedModule, *, bare: bool = False, dtype: torch.dtype | None = None) -> None:
        self.data, self.lr, self.bare, self.dtype = module.data, module.client_lr, bare, dtype
        self.device = self.data.root.features.device
        self.network = copy.deepcopy(module.network).to(self.device)
        self.local = copy.deepcopy(self.network)
        self.optimizer = torch.optim.SGD(self.local.parameters(), lr=self.lr)
        self.clients = [self.data.clients.of(client) for client in range(self.data.num_clients)]

    def seconds(self, rounds: int) -> float:
        """Seconds that the rounds take."""
        synchronize(self.device)
        start = time.perf_counter()
        for _ in range(rounds):
            self.round()
        synchronize(self.device)
        return time.perf_counter() - start

    def round(self) -> None:
        """One round: local training, the root update, FLTrust and the server's step."""
        updates = []
        for client in self.clients:
            rows = torch.randperm(len(client))[: self.data.batch_size]
            updates.append(self._update(client.features[rows], client.labels[rows]))
        root = self._update(self.data.root.features, self.data.root.labels)
        stacked = torch.stack(updates)
        norms = stacked.norm(dim=1)
        trust = F.relu(stacked @ root / (norms * root.norm()))
        aggregate = (trust[:, None] * stacked / norms[:, None] * root.norm()).sum(dim=0) / trust.sum()
        parameters = self.network.parameters
        vector_to_parameters(parameters_to_vector(parameters()).detach() + aggregate, parameters())

    def _update(self, features: Tensor, labels: Tensor) -> Tensor:
        if not self.bare:
            self.local.load_state_dict(self.network.state_dict())
        model = self.network if self.bare else self.local
        model.zero_grad()
        with torch.autocast(self.device.type, self.dtype) if self.dtype else contextlib.nullcontext():
            loss = F.cross_entropy(model(features), labels, reduction="sum")
        loss.backward()
        if self.bare:
            return torch.cat([-self.lr * parameter.grad.flatten() for parameter in self.network.parameters()])
        self.optimizer.step()
        before, after = (parameters_to_vector(network.parameters()).detach() for network in (self.network, self.local))
        return after - before


def operations(module: FederatedModule) -> int:
    """Floating-point operations of one round's matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        PlainLoop(module).round()
    return counter.get_total_flops()
