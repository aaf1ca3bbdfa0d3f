"""Rounds a second of one of the configurations under FLTrust beside a plain loop over clients, in alternating runs.

    python benchmarks/rounds.py [--config configs/har_fltrust.yaml] [--rounds 500] [--repeats 5]
    python benchmarks/rounds.py --config configs/mnist_fltrust.yaml --rounds 20

The plain loop is Algorithm 1 as one would write it without this package, on the same data in memory: per round and
client, the global model's weights, a random batch, `loss.backward()`, an SGD step, and the difference sent; then the
root update, FLTrust and the server's step. The bare loop leaves out the copy, the step and the difference, which
one local step can do without.
"""

import argparse
import copy
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from flt.cli import FederatedCLI
from flt.module import FederatedModule

CONFIG = Path(__file__).parents[1] / "configs" / "har_fltrust.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    measured: dict[str, list[float]] = {"flt fit": [], "plain loop": [], "bare loop": [], "share": []}
    for repeat in range(options.repeats + 1):
        module, seconds, inside = fit(options.config, options.rounds)
        data = module.data
        plain, bare = (plain_loop(module, options.rounds, bare=bare) for bare in (False, True))
        if repeat:  # the first is a warm-up
            for name, value in zip(measured, (seconds, plain, bare, 100 * (1 - inside / seconds)), strict=True):
                measured[name].append(value)
    print(f"{data.display_name}, {options.rounds} rounds, {torch.get_num_threads()} threads, torch {torch.__version__}")
    ours = measured["flt fit"]
    for name in ("flt fit", "plain loop", "bare loop"):
        show(name, [options.rounds / seconds for seconds in measured[name]], "rounds/s")
    for name in ("plain loop", "bare loop"):
        show("ratio", [loop / own for loop, own in zip(measured[name], ours, strict=True)], f"times the {name}")
    show("Lightning", measured["share"], "% of a round")


def show(name: str, values: list[float], unit: str) -> None:
    print(f"{name:<12}{statistics.median(values):>9.2f} {unit}  ({min(values):.2f} to {max(values):.2f})")


def fit(config: Path, rounds: int) -> tuple[FederatedModule, float, float]:
    """Trains with Lightning, without evaluation; seconds in all and seconds inside the rounds themselves."""
    with tempfile.TemporaryDirectory() as folder:
        settings = [
            f"--trainer.max_steps={rounds}",
            "--trainer.limit_val_batches=0",
            "--trainer.logger.save_dir",
            folder,
        ]
        cli = FederatedCLI(["--config", str(config), *settings], run=False)
        return time_fit(cli)


def time_fit(cli: FederatedCLI) -> tuple[FederatedModule, float, float]:
    module, inside, total = cli.model, [0.0], [0.0]
    step = module.training_step

    def timed(*args: object) -> None:
        start = time.perf_counter()
        step(*args)
        inside[0] += time.perf_counter() - start

    module.training_step = timed
    cli.trainer.callbacks.append(Clock(total))
    cli.trainer.fit(module, cli.datamodule)
    return module, total[0], inside[0]


class Clock(Callback):
    """Seconds from the first round to the last, without loading data and drawing the report."""

    def __init__(self, total: list[float]) -> None:
        self.total = total

    def on_train_start(self, *args: object) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self, *args: object) -> None:
        self.total[0] = time.perf_counter() - self.start


def plain_loop(module: FederatedModule, rounds: int, *, bare: bool) -> float:
    """Seconds that the rounds take when clients are trained one after another.

    Each client does what Algorithm 1 says: takes over the global model, makes an SGD step after `loss.backward()` and
    sends the difference. A ``bare`` loop keeps only the gradient and skips the copy, the step and the difference.
    """
    data, network, lr = module.data, copy.deepcopy(module.network), module.client_lr
    local = copy.deepcopy(network)
    optimizer = torch.optim.SGD(local.parameters(), lr=lr)
    clients = [data.clients.of(client) for client in range(data.num_clients)]

    def update(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if not bare:
            local.load_state_dict(network.state_dict())
        model = network if bare else local
        model.zero_grad()
        F.cross_entropy(model(features), labels, reduction="sum").backward()
        if bare:
            return torch.cat([-lr * parameter.grad.flatten() for parameter in network.parameters()])
        optimizer.step()
        return parameters_to_vector(local.parameters()).detach() - parameters_to_vector(network.parameters()).detach()

    start = time.perf_counter()
    for _ in range(rounds):
        updates = []
        for client in clients:
            rows = torch.randperm(len(client))[: data.batch_size]
            updates.append(update(client.features[rows], client.labels[rows]))
        root = update(data.root.features, data.root.labels)
        stacked = torch.stack(updates)
        norms = stacked.norm(dim=1)
        trust = F.relu(stacked @ root / (norms * root.norm()))
        aggregate = (trust[:, None] * stacked / norms[:, None] * root.norm()).sum(dim=0) / trust.sum()
        vector_to_parameters(parameters_to_vector(network.parameters()).detach() + aggregate, network.parameters())
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
