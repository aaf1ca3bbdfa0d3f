"""Runs that several processes share: a list of them, and a script that makes each and saves what came out.

``python cases_of_processes.py FOLDER 3 1000 1`` writes a file of each of three processes for each run into FOLDER, with
clients in parts of 1, roughly, and for some of the runs once more in parts of 1000. The processes are forks, so that
PyTorch is imported once, and have the environment in which torchrun starts them.
"""

import multiprocessing
import os
import socket
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tiny import Sending, TestOwners, TinyData, TinyImages, fit, mlp
from torch import nn

from callbacks import (
    LFR,
    AttackGroups,
    ClientErrors,
    DiverseFL,
    EvaluationMetrics,
    FedAvg,
    FLTrust,
    Krum,
    LabelFlipping,
    Median,
    MetricsLogger,
    Neurotoxin,
    ProjectedBackdoor,
    ScalingAttack,
    SignFlip,
    TrimAttack,
)
from flt.data.inputs import InputPipeline
from flt.federation import Aggregate, Aggregation, FederatedCallback, Judgement, Round
from flt.server import cohort
from flt.server.processes import leave

AUGMENTED = InputPipeline(crop_padding=1, flip=True, normalize=True)


def normalised() -> nn.Module:
    """A network with batch normalisation."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def dropping() -> dict[str, Any]:
    network = nn.Sequential(mlp(), nn.Dropout(0.3))
    return {"network": network, "local_steps": 2, "clients_per_chunk": 2, "root_batch_size": 4}


def images() -> dict[str, Any]:
    return {"data": TinyImages(AUGMENTED), "network": normalised()}


class Judgements(FederatedCallback):
    """Keeps what the rule says of each client."""

    def __init__(self) -> None:
        self.vectors: list[dict[str, torch.Tensor]] = []

    def on_round_end(self, trainer: Any, round: Any, aggregate: Aggregate) -> None:
        self.vectors.append(aggregate.judgement.vectors)


class Counting(Aggregation):
    """The mean; what it keeps differs from process to process, in numbers, structure and shapes."""

    def aggregate(self, round: Round) -> Aggregate:
        rank, number = int(os.environ.get("RANK", "0")), round.memory.get("number", 0.0)
        kept = {"number": number + 1 + rank, "rows": [torch.full((2 + rank,), number)] * (1 + rank), "text": f"{rank}"}
        said = number + sum(float(row.sum()) for row in round.memory.get("rows", []))
        judgement = Judgement(weights=torch.full((len(round),), said))
        return Aggregate(round.updates.mean(dim=0), judgement=judgement, memory=kept)


ADAM = {"client_optimizer": partial(torch.optim.Adam, lr=0.01), "client_optimizer_state": "kept"}
CASES: dict[str, Callable[[], tuple[list[Any], dict[str, Any]]]] = {
    "fedavg": lambda: ([FedAvg(), LabelFlipping(), EvaluationMetrics(), ClientErrors()], {"local_steps": 2}),
    "fltrust": lambda: ([FLTrust(), ScalingAttack()], {"clients_per_round": 7, "root_batch_size": 6}),
    "dropout": lambda: ([FLTrust(), ScalingAttack()], dropping()),
    "few clients": lambda: ([FLTrust()], {"clients_per_round": 2}),
    "fltrust, trim": lambda: ([FLTrust(), TrimAttack()], {"clients_per_round": 9}),
    "krum": lambda: ([Krum(), LabelFlipping(), ClientErrors(on="test")], {"local_epochs": 2}),
    "median": lambda: (
        [Median(), TrimAttack(), ClientErrors(on="test")],
        {"clients_per_round": 5, "data": TestOwners()},
    ),
    "nan": lambda: ([FedAvg(), Sending(float("nan"), (0, 1, 4))], {"data": TinyData()}),
    "memory": lambda: ([Counting()], {}),
    "all nan": lambda: ([FLTrust(), Sending(float("nan"), tuple(range(10)))], {}),
    "diversefl": lambda: ([DiverseFL(0.3), LabelFlipping()], {"clients_per_round": 7}),
    "schedule": lambda: ([FedAvg(), ScalingAttack(0.4, ramp=3, redraw=True)], {"clients_per_round": 9}),
    "groups": lambda: ([FLTrust(), AttackGroups([ScalingAttack(0.2), TrimAttack(0.1, every=2)])], {}),
    "added": lambda: (
        [Median(), SignFlip(scale=3.0)],
        {"data": TinyData(num_added_clients=3, validation_fraction=0.3), "clients_per_round": 9},
    ),
    "images, lfr": lambda: ([LFR(), LabelFlipping()], images()),
    "projected": lambda: ([FedAvg(), ProjectedBackdoor(epochs=2)], {"clients_per_round": 7, "client_momentum": 0.5}),
    "adam": lambda: ([FLTrust(), LabelFlipping()], {"clients_per_round": 7, "local_steps": 2, **ADAM}),
    "images, neurotoxin": lambda: ([FLTrust(), Neurotoxin()], images()),
    "images, fltrust": lambda: ([FLTrust(), ScalingAttack()], images()),
}


IN_LARGE_PARTS = list(CASES)[::3]


def outcome(name: str, folder: Path) -> dict[str, Any]:
    """The global model, the metrics of every round and the evaluation of one of the cases."""
    warnings.filterwarnings("ignore")
    callbacks, settings = CASES[name]()
    metrics, judgements = MetricsLogger(), Judgements()
    server = fit(folder, *callbacks, metrics, judgements, **settings)
    return {
        "state": server.state_dict(),
        "rows": metrics.rows,
        "dropped": metrics.num_dropped,
        "judgements": judgements.vectors,
    }


def environment_of_torchrun(rank: int, num_processes: int, port: int) -> dict[str, str]:
    """What torchrun sets for one of its processes on this machine."""
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "TORCHELASTIC_RUN_ID": "none", "MASTER_PORT": port}
    sizes = {"WORLD_SIZE": num_processes, "LOCAL_WORLD_SIZE": num_processes}
    return {name: str(value) for name, value in {**ranks, **sizes, "MASTER_ADDR": "127.0.0.1"}.items()}


def work(rank: int, num_processes: int, port: int, folder: Path, sizes: list[int]) -> None:
    """One process's part of every case."""
    os.environ |= environment_of_torchrun(rank, num_processes, port)
    for clients in sizes:
        cohort.PART["cpu"], cohort.MIN_CLIENTS = clients * 96, 1
        for name in CASES if clients == 1 else IN_LARGE_PARTS:
            result = outcome(name, folder)
            torch.save(result, folder / f"{name}.{clients}.{torch.distributed.get_rank()}.pt")
    leave()


def main(folder: str, num_processes: int, *sizes: int) -> None:
    """Runs the processes to their end, which is that of the first that fails."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ranks = range(num_processes)
    context = multiprocessing.get_context("fork")
    settings = num_processes, port, Path(folder), list(sizes)
    processes = [context.Process(target=work, args=(rank, *settings), daemon=True) for rank in ranks]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            sys.exit(1)  # which ends the others


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
