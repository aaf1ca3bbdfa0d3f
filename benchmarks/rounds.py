"""Rounds a second of `configs/har_fltrust.yaml` beside a plain loop over clients, in alternating runs.

    python benchmarks/rounds.py [--rounds 500] [--repeats 5]

The plain loop is what one would write without this package: the same data in memory, and per round and client a random
batch, a forward pass, `loss.backward()` and the gradient copied out; then the root update, FLTrust and the step.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch.nn import functional as F

from flt.cli import FederatedCLI
from flt.data import FederatedDataModule
from flt.models import LogisticRegression

CONFIG = Path(__file__).parents[1] / "configs" / "har_fltrust.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    ratios, ours, plain, shares = [], [], [], []
    for repeat in range(options.repeats + 1):
        data, seconds, inside = fit(options.rounds)
        loop = plain_loop(data, options.rounds)
        if repeat == 0:  # warm-up
            continue
        ours.append(options.rounds / seconds)
        plain.append(options.rounds / loop)
        shares.append(1 - inside / seconds)
        ratios.append(loop / seconds)
    print(f"data                       {data.display_name}")
    print(f"threads                    {torch.get_num_threads()}, torch {torch.__version__}")
    for name, values, unit in (
        ("flt fit", ours, "rounds/s"),
        ("plain loop", plain, "rounds/s"),
        ("ratio", ratios, "times the plain loop"),
        ("Lightning's share", [100 * share for share in shares], "% of a round"),
    ):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:<20} {middle:>10.2f} {unit}  (from {low:.2f} to {high:.2f})")


def fit(rounds: int) -> tuple[FederatedDataModule, float, float]:
    """Trains with Lightning, without evaluation; seconds in all and seconds inside the rounds themselves."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            f"--trainer.max_steps={rounds}",
            "--trainer.limit_val_batches=0",
            "--trainer.logger.save_dir",
            folder,
        ]
        cli = FederatedCLI(["--config", str(CONFIG), *settings], run=False)
        return time_fit(cli)


def time_fit(cli: FederatedCLI) -> tuple[FederatedDataModule, float, float]:
    module, inside, total = cli.model, [0.0], [0.0]
    step = module.training_step

    def timed(*args: object) -> None:
        start = time.perf_counter()
        step(*args)
        inside[0] += time.perf_counter() - start

    module.training_step = timed
    cli.trainer.callbacks.append(Clock(total))
    cli.trainer.fit(module, cli.datamodule)
    return cli.datamodule, total[0], inside[0]


class Clock(Callback):
    """Seconds from the first round to the last, without loading data and drawing the report."""

    def __init__(self, total: list[float]) -> None:
        self.total = total

    def on_train_start(self, *args: object) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self, *args: object) -> None:
        self.total[0] = time.perf_counter() - self.start


def plain_loop(data: FederatedDataModule, rounds: int) -> float:
    """Seconds that the rounds take when clients are trained one after another."""
    network = LogisticRegression(data.clients.features.shape[1], data.num_classes)
    clients = [data.clients.of(client) for client in range(data.num_clients)]
    learning_rate, batch_size = 0.003, data.batch_size

    def update(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        network.zero_grad()
        F.cross_entropy(network(features), labels, reduction="sum").backward()
        return torch.cat([-learning_rate * parameter.grad.flatten() for parameter in network.parameters()])

    start = time.perf_counter()
    for _ in range(rounds):
        updates = []
        for client in clients:
            rows = torch.randperm(len(client))[:batch_size]
            updates.append(update(client.features[rows], client.labels[rows]))
        root = update(data.root.features, data.root.labels)
        stacked = torch.stack(updates)
        norms = stacked.norm(dim=1)
        trust = F.relu(stacked @ root / (norms * root.norm()))
        aggregate = (trust[:, None] * stacked / norms[:, None] * root.norm()).sum(dim=0) / trust.sum()
        with torch.no_grad():
            offset = 0
            for parameter in network.parameters():
                parameter += aggregate[offset : offset + parameter.numel()].view_as(parameter)
                offset += parameter.numel()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
