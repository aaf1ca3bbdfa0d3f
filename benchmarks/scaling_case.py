"""One case of scaling.py: a federation of synthetic data, trained for a few rounds."""

import contextlib
import os
import socket
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import measure
import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from measure import GIB, Timers, quietly
from runs import Clock

from callbacks import FLTrust, Krum, Median
from flt.data import Examples, FeatureTrigger, FederatedDataModule, RawData
from flt.models import CNN, LogisticRegression
from flt.module import FederatedModule
from flt.server.processes import Processes, leave

RULES = {"FLTrust": FLTrust, "Median": Median, "Krum": Krum}
ROOT_SIZE = 20
EXCHANGES = tuple((Processes, name, "exchange") for name in ("joined", "summed", "agreed"))
Network = Literal["logistic regression", "CNN"]


@dataclass(frozen=True)
class Case:
    """One size.

    Args:
        network: The network.
        num_clients: Clients, all of whom take part.
        rounds: Rounds, the first of which warms up.
        rule: The aggregation rule's name.
        num_features: Features of an example, for logistic regression.
        examples: Examples of a client.
    """

    network: Network
    num_clients: int
    rounds: int
    rule: str = "FLTrust"
    num_features: int = 561
    examples: int = 4

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, 28, 28) if self.network == "CNN" else (self.num_features,)

    @property
    def num_classes(self) -> int:
        return 10 if self.network == "CNN" else 6


class Synthetic(FederatedDataModule):
    """Random examples, as many of each client."""

    dataset_name = "synthetic"
    num_classes = 0  # the case's
    trigger = FeatureTrigger([0], value=1.0)
    target_class = 0

    def __init__(self, case: Case, root_path: str) -> None:
        self.case, self.num_classes = case, case.num_classes
        super().__init__(root_path=root_path, root_size=ROOT_SIZE, batch_size=case.examples)

    def load(self, seed: int) -> RawData:
        owners = torch.arange(self.case.num_clients).repeat_interleave(self.case.examples)
        train, test = (examples(self.case, count) for count in (len(owners), 8))
        return RawData(train, owners, test, False, self.case.num_clients)


def run(case: Case) -> dict[str, float]:
    """Seconds of a round of ``case``, and memory in GiB."""
    memory = Memory()
    with root_dataset(case) as root_path:
        seconds, module = train(case, root_path, memory)
    clients = module.data.clients
    return {
        "seconds": seconds,
        "peak_gib": max(memory.before, memory.peak) / GIB,
        "rounds_gib": (memory.peak - memory.resident) / GIB,
        "data_gib": clients.features.numel() * clients.features.element_size() / GIB,
    }


class Memory(Callback):
    """Resident memory before the rounds, and the largest before and in them, in bytes."""

    before = resident = peak = 0.0

    def on_train_start(self, *args: object) -> None:
        self.before, self.resident = measure.peak_memory(), measure.resident_memory()
        measure.reset_peak_memory()

    def on_train_end(self, *args: object) -> None:
        self.peak = measure.peak_memory()


class Exchange(Callback):
    """Time that a process spends in the exchange with others, round by round."""

    def __init__(self) -> None:
        self.timers = Timers()
        self._sums: list[float] = []

    def on_train_batch_end(self, *args: object) -> None:
        self._sums.append(self.timers.seconds["exchange"])

    @property
    def seconds(self) -> float:
        """Median of a round after the first."""
        return statistics.median(after - before for before, after in zip(self._sums, self._sums[1:], strict=False))


def run_rank(case: Case, root_path: str, rank: int, world_size: int, port: int) -> dict[str, Any]:
    """One process's part of a run of several; its times a round, and the model it ends with."""
    torch.set_num_threads(1)
    if world_size > 1:
        os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    exchange = Exchange()
    with exchange.timers.on(EXCHANGES):
        seconds, module = train(case, root_path, exchange, devices=world_size)
    leave()
    parameters = torch.cat([parameter.detach().flatten() for parameter in module.network.parameters()])
    return {"seconds": seconds, "exchange": exchange.seconds, "parameters": parameters.numpy()}


def ranks(case: Case, root_path: str, world_size: int) -> list[tuple[Any, ...]]:
    """The arguments of `run_rank` for each process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return [(case, root_path, rank, world_size, free.getsockname()[1]) for rank in range(world_size)]


@contextlib.contextmanager
def root_dataset(case: Case) -> Iterator[str]:
    """A file of the server's own examples, which leaves the clients all of theirs."""
    root = examples(case, ROOT_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "root.npz"
        np.savez(path, x=root.features.view(-1, *case.shape[-2:]).numpy(), y=root.labels.numpy())
        yield str(path)


def train(case: Case, root_path: str, *callbacks: Callback, devices: int = 1) -> tuple[float, FederatedModule]:
    """Median seconds of a round after the first, and the model."""
    clock = Clock()
    network = CNN() if case.network == "CNN" else LogisticRegression(case.num_features, case.num_classes)
    with tempfile.TemporaryDirectory() as folder, quietly():
        seed_everything(0)
        trainer = Trainer(
            max_steps=case.rounds,
            accelerator="cpu",
            devices=devices,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
            callbacks=[RULES[case.rule](), *callbacks, clock],
        )
        module = FederatedModule(network, "xavier", client_lr=1e-4)
        trainer.fit(module, Synthetic(case, root_path))
    return statistics.median(clock.rounds[1:]), module


def examples(case: Case, count: int) -> Examples:
    draws = torch.Generator().manual_seed(count)
    features = torch.rand(count, *case.shape, generator=draws)
    return Examples(features, torch.randint(case.num_classes, (count,), generator=draws))
