"""What each aggregation rule and attack costs beside a round of MNIST.

    python benchmarks/rules.py

Times each function of the tests' tables of rules and attacks on the updates of 100 clients of the CNN's 139,960
parameters, and a round of configs/mnist_fltrust.yaml in the same run. The adaptive attack draws 2,000 normal vectors of
that length, 10 x 10 for each of 20 malicious clients; what the draws cost by themselves is a line of its own.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from measure import RESULTS, describe_machine, median_seconds, save, say
from runs import CONFIGS, fit
from torch import Tensor

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from catalogue import ATTACKS, RULES

AIMS = {"FLTrust": 0.03, "Median": 0.15, "TrimmedMean": 0.15, "Krum": 0.15, "Trim attack": 0.20}
SWEEPS, STEPS = 10, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100, help="clients that send an update (%(default)s)")
    parser.add_argument("--malicious", type=int, default=20, help="malicious ones among them (%(default)s)")
    parser.add_argument("--parameters", type=int, default=139_960, help="length of an update (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="calls of each, after as many to warm up (%(default)s)")
    parser.add_argument(
        "--config", type=Path, default=CONFIGS / "mnist_fltrust.yaml", help="whose round to compare with"
    )
    parser.add_argument("--rounds", type=int, default=12, help="rounds of a run of it (%(default)s)")
    parser.add_argument("--stand-in", action="store_true", help="synthetic data even where the real ones are there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = parser.parse_args()
    say(describe_machine())
    settings = ["--trainer.accelerator=cpu", *(["--data.stand_in=always"] if options.stand_in else [])]
    runs = [fit(options.config.resolve(), options.rounds, settings) for _ in range(4)][1:]  # the first is a warm-up
    data, round_seconds = runs[0][0].data.display_name, statistics.median(total for _, total in runs) / options.rounds
    say(f"a round of {data}: {1000 * round_seconds:.1f} ms")
    say(f"[{options.clients}, {options.parameters:,}] updates, {options.malicious} malicious, {options.repeats} calls")
    costs = {}
    for name, function in cases(options.clients, options.malicious, options.parameters).items():
        seconds = median_seconds(function, options.repeats)
        costs[name] = {"seconds": seconds, "share_of_round": seconds / round_seconds, "aim": AIMS.get(name)}
        aim = f"  (aim: under {100 * AIMS[name]:.0f} %)" if name in AIMS else ""
        say(f"  {name:<34}{1000 * seconds:9.2f} ms{100 * seconds / round_seconds:8.1f} % of a round{aim}")
    sizes = {name: getattr(options, name) for name in ("clients", "malicious", "parameters", "repeats")}
    save(options.out, "rules", {"data": data, "round_seconds": round_seconds, **sizes, "costs": costs})


def cases(num_clients: int, num_malicious: int, num_params: int) -> dict[str, Callable[[], object]]:
    """Every rule and attack as a call, by its name."""
    draws = torch.Generator().manual_seed(0)
    root_update = torch.randn(num_params, generator=draws)
    updates = 0.01 * (root_update + torch.randn(num_clients, num_params, generator=draws))
    malicious = torch.arange(num_clients) < num_malicious
    sizes = torch.full((num_clients,), 600)

    def attack(function: Callable[..., Tensor], **settings: int) -> Callable[[], object]:
        return lambda: function(updates, malicious, root_update, torch.Generator().manual_seed(1), **settings)

    def noise() -> None:
        generator = torch.Generator().manual_seed(1)
        for _ in range(SWEEPS):
            torch.randn(num_malicious, STEPS, num_params, generator=generator)

    crafting = {f"{row.name} attack": row.function for row in ATTACKS if row.function is not None}
    return {
        **{rule.name: partial(rule.function, updates, root_update, sizes, num_malicious) for rule in RULES},
        **{name: attack(function) for name, function in crafting.items()},
        f"{SWEEPS * STEPS * num_malicious:,} draws by themselves": noise,
        "Adaptive attack": attack(crafting["Adaptive attack"], sweeps=SWEEPS, steps=STEPS),
    }


if __name__ == "__main__":
    main()
