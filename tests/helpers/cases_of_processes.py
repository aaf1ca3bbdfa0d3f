"""Runs that several processes share: a list of them, and a script that makes each and saves what came out.

``torchrun --nproc_per_node 2 cases_of_processes.py FOLDER 1000 1`` writes a file for each into FOLDER, once with
clients in parts of 1000 and once in parts of 1, roughly.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny import Sending, TinyData, TinyImages, fit
from torch import nn

from callbacks import (
    AdaptiveAttack,
    ClientErrors,
    EvaluationMetrics,
    FedAvg,
    FLTrust,
    Krum,
    LabelFlippingAttack,
    Median,
    MetricsLogger,
    ScalingAttack,
    TrimAttack,
    TrimmedMean,
)
from flt.data.inputs import InputPipeline
from flt.federation import Aggregate, FederatedCallback, by_client
from flt.server import cohort
from flt.server.processes import leave

AUGMENTED = InputPipeline(crop_padding=1, flip=True, normalize=True)


def normalised() -> nn.Module:
    """A network with batch normalisation."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


def images() -> dict[str, Any]:
    return {"data": TinyImages(AUGMENTED), "network": normalised()}


class Judgements(FederatedCallback):
    """Keeps what the rule says of each client."""

    def __init__(self) -> None:
        self.vectors: list[dict[str, torch.Tensor]] = []

    def on_round_end(self, trainer: Any, round: Any, aggregate: Aggregate) -> None:
        self.vectors.append(aggregate.judgement.vectors)


class NaNs(Sending):
    """As its base, from some clients by id."""

    @by_client
    def on_client_updates(self, round: Any) -> Any:
        updates = round.updates.clone()
        updates[[client in self.rows for client in round.client_ids.tolist()], 0] = self.value
        return round.replace(updates=updates)


CASES: dict[str, Callable[[], tuple[list[Any], dict[str, Any]]]] = {
    "fedavg": lambda: ([FedAvg(), LabelFlippingAttack(), EvaluationMetrics(), ClientErrors()], {"local_steps": 2}),
    "fltrust": lambda: ([FLTrust(), ScalingAttack()], {"clients_per_round": 7, "root_batch_size": 6}),
    "with server": lambda: ([FLTrust(variant="withServer"), LabelFlippingAttack()], {}),
    "few clients": lambda: ([FLTrust()], {"clients_per_round": 2}),
    "fltrust, trim": lambda: ([FLTrust(), TrimAttack()], {"clients_per_round": 9}),
    "fltrust, adaptive": lambda: ([FLTrust(), AdaptiveAttack()], {}),
    "krum": lambda: ([Krum(), LabelFlippingAttack()], {"local_steps": 2}),
    "median": lambda: ([Median(), TrimAttack()], {"clients_per_round": 5}),
    "trimmed mean": lambda: ([TrimmedMean(), LabelFlippingAttack()], {}),
    "nan": lambda: ([FedAvg(), NaNs(float("nan"), (0, 1, 4))], {"data": TinyData()}),
    "nan, median": lambda: ([Median(), NaNs(float("nan"), (0, 1, 4))], {"data": TinyData()}),
    "all nan": lambda: ([FLTrust(), NaNs(float("nan"), tuple(range(10)))], {}),
    "images, fedavg": lambda: ([FedAvg()], images()),
    "images, krum": lambda: ([Krum()], images()),
    "images, fltrust": lambda: ([FLTrust(), ScalingAttack()], images()),
}


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


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for clients in map(int, sys.argv[2:]):
        cohort.PART["cpu"], cohort.MIN_CLIENTS = clients * 96, 1
        for name in CASES:
            result = outcome(name, target)
            rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
            torch.save(result, target / f"{name}.{clients}.{rank}.pt")
    leave()
