"""What momentum, weight decay and optimizers at the clients cost: rounds with each beside rounds with plain steps.

    python benchmarks/steps.py
    python benchmarks/steps.py --config configs/har_fltrust.yaml --rounds 200

Runs take turns, on the same data in memory, each with plain steps before and after it; the times are the processor's,
which a busy machine changes less than the clock's. A round of a run is the median of its rounds.
"""

import argparse
import statistics
import time
from pathlib import Path

from measure import RESULTS, describe_machine, save, say
from runs import CONFIGS, Clock, fit

from flt.cli.training import Run
from flt.federation.plugins import callbacks_of

ADAM = ("--model.client_optimizer=torch.optim.Adam", "--model.client_optimizer.lr=0.001")
SETTINGS = {
    "momentum": ("--model.client_momentum=0.9",),
    "damped momentum, decay": (
        "--model.client_momentum=0.9",
        "--model.momentum_scaling=damped",
        "--model.client_weight_decay=1e-4",
    ),
    "momentum, 90 % of the clients": ("--model.client_momentum=0.9",),
    "Adam, fresh": ADAM,
    "Adam, kept": (*ADAM, "--model.client_optimizer_state=kept"),
}
SAMPLED = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIGS / "mnist_fltrust.yaml", help="what runs (%(default)s)")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of a run (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind (%(default)s)")
    parser.add_argument("--only", choices=SETTINGS, nargs="+", default=list(SETTINGS), help="some of the settings")
    parser.add_argument("--stand-in", action="store_true", help="synthetic data even where the real ones are there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = parser.parse_args()
    say(describe_machine())
    settings = ["--trainer.accelerator=cpu", *["--data.stand_in=always"] * options.stand_in]
    module, _ = fit(options.config, 1, settings)
    sampled = [f"--model.clients_per_round={round(SAMPLED * module.federation.num_clients)}"]
    found = {}
    for name in options.only:
        own = SETTINGS[name]
        shared = [*settings, *(sampled if "%" in name else [])]
        pairs = [
            (seconds_of_a_round(options, shared), seconds_of_a_round(options, [*shared, *own]))
            for _ in range(options.repeats)
        ]
        plain, with_it = (statistics.median(each) for each in zip(*pairs, strict=True))
        ratios = sorted(own / usual for usual, own in pairs)
        found[name] = {"plain": plain, "with_it": with_it, "ratio": statistics.median(ratios), "ratios": ratios}
        say(
            f"  {name:<30}{1e3 * with_it:.3g} ms beside {1e3 * plain:.3g} ms a round:"
            f" {100 * (statistics.median(ratios) - 1):+.1f} % ({100 * (ratios[0] - 1):+.1f} to"
            f" {100 * (ratios[-1] - 1):+.1f})"
        )
    save(options.out, "steps", {"config": options.config.name, "rounds": options.rounds, "results": found})


def seconds_of_a_round(options: argparse.Namespace, settings: list[str]) -> float:
    """The median over the rounds of a run, without the first, in which memory is taken."""
    clocks: list[Clock] = []

    def prepare(run: Run) -> None:
        clocks.append(Clock(time.process_time))
        callbacks_of(run.trainer).append(clocks[0])

    fit(options.config, options.rounds, settings, prepare)
    return statistics.median(clocks[0].rounds[1:])


if __name__ == "__main__":
    main()
