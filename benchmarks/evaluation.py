"""Which part of a run its evaluations, rows and checkpoints take.

    python benchmarks/evaluation.py

Trains configs/har_fltrust.yaml as it is shipped, and in turn with that without evaluation, rows and checkpoints.
"""

import argparse
import statistics
import time
from pathlib import Path

from measure import RESULTS, describe_machine, save, say, spread
from runs import CONFIGS, fit


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", default="har_fltrust.yaml", help="a file under configs/")
    arguments.add_argument("--rounds", type=int, default=1000, help="rounds of a run")
    arguments.add_argument("--repeats", type=int, default=5, help="runs of each kind")
    arguments.add_argument("--processor-time", action="store_true", help="one thread's, for a busy machine")
    arguments.add_argument("--stand-in", action="store_true", help="synthetic data")
    arguments.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = arguments.parse_args()
    say(describe_machine())
    now = time.process_time if options.processor_time else time.perf_counter
    rare = (f"--trainer.{name}={options.rounds}" for name in ("val_check_interval", "log_every_n_steps"))
    kinds: dict[str, tuple[list[str], float]] = {
        "as shipped": ([], 1.0),
        "rounds alone": ([*rare, "--trainer.enable_checkpointing=false"], 0),
    }
    settings = ["--data.stand_in=always"] if options.stand_in else []
    seconds = {kind: list[float]() for kind in kinds}
    for _ in range(options.repeats):
        for kind, (own, batches) in kinds.items():
            _, took = fit(
                CONFIGS / options.config, options.rounds, [*settings, *own], now=now, limit_val_batches=batches
            )
            seconds[kind].append(took)
    shares = [1 - alone / whole for whole, alone in zip(seconds["as shipped"], seconds["rounds alone"], strict=True)]
    share = spread(shares)
    for kind, values in seconds.items():
        say(f"  {kind:<14}{1000 * statistics.median(values) / options.rounds:7.3f} ms a round")
    say(f"evaluations, rows and checkpoints: {share['median']:.1%} ({share['least']:.1%} to {share['most']:.1%})")
    found = {"config": options.config, "rounds": options.rounds, "repeats": options.repeats, "clock": now.__name__}
    save(options.out, "evaluation", found | {"seconds": seconds, "share": share})


if __name__ == "__main__":
    main()
