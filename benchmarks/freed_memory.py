"""What it spares a run that glibc keeps freed memory: whole commands, in turns with glibc's own way.

    python benchmarks/freed_memory.py

Each command is a process of its own. Of every pair one has `MALLOC_TRIM_THRESHOLD_` set to what it is anyway, whereupon
`flt fit` leaves the allocator alone. Seconds are those of the whole command; those in the system are what it takes to
give memory back and to get it again, page by page.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from measure import GIB, RESULTS, describe_machine, save, say, spread

CONFIGS = Path(__file__).parents[1] / "configs"
ROUNDS = {"har_fltrust": 500, "mnist_fltrust": 12, "mnist_bucketing": 20, "cifar10_fltrust": 1}
GLIBCS_OWN = {"MALLOC_TRIM_THRESHOLD_": str(128 * 1024)}
START = "import sys; from flt.main import console; console()"
FIGURES = ("seconds", "system_seconds", "page_faults", "peak_gib")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--configs", nargs="+", default=list(ROUNDS), help="files under configs/, without .yaml")
    arguments.add_argument("--rounds", type=int, help="rounds of a run, instead of each configuration's own")
    arguments.add_argument("--pairs", type=int, default=3, help="runs of each kind (%(default)s)")
    arguments.add_argument("--stand-in", action="store_true", help="synthetic data")
    arguments.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = arguments.parse_args()
    say(describe_machine())
    settings = ["--data.stand_in=always"] if options.stand_in else []
    run(options.configs[0], 1, settings, {})  # which compiles modules and reads files that are then in memory
    results = []
    for config in options.configs:
        rounds = options.rounds or ROUNDS.get(config, 12)
        results.append({"config": config, "rounds": rounds, **compare(config, rounds, options.pairs, settings)})
        show(results[-1])
    save(options.out, "freed_memory", {"pairs": options.pairs, "results": results})


def compare(config: str, rounds: int, pairs: int, settings: list[str]) -> dict[str, Any]:
    """Figures of runs that keep freed memory ("kept") and of others ("returned"), and the ratios of pairs' seconds."""
    kept: dict[str, list[float]] = {figure: [] for figure in FIGURES}
    returned: dict[str, list[float]] = {figure: [] for figure in FIGURES}
    for _ in range(pairs):
        for figures, variables in ((returned, GLIBCS_OWN), (kept, {})):
            measured = run(config, rounds, settings, variables)
            for figure, value in zip(FIGURES, measured, strict=True):
                figures[figure].append(value)
    ratios = [one / other for one, other in zip(kept["seconds"], returned["seconds"], strict=True)]
    medians = [{figure: spread(found)["median"] for figure, found in each.items()} for each in (kept, returned)]
    return {"kept": medians[0], "returned": medians[1], "ratio": spread(ratios)}


def run(config: str, rounds: int, settings: list[str], variables: dict[str, str]) -> tuple[float, ...]:
    """Seconds of a command, those of them in the system, its page faults, and its peak of memory in GiB."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", START, "fit", "--config", str(CONFIGS / f"{config}.yaml"), *settings]
        command += ["--trainer.max_steps", str(rounds), "--trainer.enable_progress_bar", "false"]
        command += ["--trainer.accelerator", "cpu", "--trainer.logger.save_dir", folder]
        before = perf_counter()
        with subprocess.Popen(command, env=environment | variables, stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{config} ended with status {process.returncode}")
    return perf_counter() - before, used.ru_stime, used.ru_minflt, used.ru_maxrss * 1024 / GIB


def show(result: dict[str, Any]) -> None:
    say(f"{result['config']}, {result['rounds']} rounds")
    for name in ("returned", "kept"):
        seconds, system, faults, peak = result[name].values()
        say(f"  {name:<9}{seconds:7.1f} s, {system:5.1f} s in the system, {faults:11,.0f} faults, {peak:5.2f} GiB")
    ratio = result["ratio"]
    say(f"  kept takes {ratio['median']:.2f} of the time ({ratio['least']:.2f} to {ratio['most']:.2f})")


if __name__ == "__main__":
    main()
