"""How long `flt fit` takes from the command to its first round, beside another version of this package.

    python benchmarks/startup.py --against ../before

Starts `flt fit --config configs/har_fltrust.yaml` in processes of their own and ends them as their first round begins:
this version and, in turn with it, the one in another working tree. Modules are compiled and files cached by a start of
each that is not counted. On a busy machine the time on the processor says more than the clock.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from first_round import SAID
from measure import RESULTS, describe_machine, save, say, spread

ROOT = Path(__file__).parents[1]
START = "import sys; from flt.main import console; console()"
FIGURES = ("seconds", "processor_seconds", "modules")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", default="har_fltrust.yaml", help="a file under configs/")
    arguments.add_argument("--against", type=Path, help="a working tree with another version")
    arguments.add_argument("--pairs", type=int, default=7, help="starts of each version")
    arguments.add_argument("--stand-in", action="store_true", help="synthetic data")
    arguments.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = arguments.parse_args()
    say(describe_machine())
    trees = {"this version": ROOT} | ({"the other": options.against.resolve()} if options.against else {})
    settings = ["--data.stand_in=always"] if options.stand_in else []
    found = {name: {figure: list[float]() for figure in FIGURES} for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.pairs + 1):
            for name, tree in trees.items():
                measured = start(tree, options.config, settings, Path(folder))
                for figure, value in zip(FIGURES, measured, strict=True) if number else ():
                    found[name][figure].append(value)
                say(
                    f"  {name:<14}{measured[0]:7.2f} s, {measured[1]:6.2f} s on the processor"
                    + " (not counted)" * (not number)
                )
    medians = {
        name: {figure: statistics.median(values) for figure, values in each.items()} for name, each in found.items()
    }
    ratios = {
        figure: [a / b for a, b in zip(found["this version"][figure], found["the other"][figure], strict=True)]
        for figure in (FIGURES if options.against else ())
    }
    shares = {figure: spread(values) for figure, values in ratios.items()}
    for figure, share in shares.items():
        say(f"{figure}: {share['median']:.2f} of the other ({share['least']:.2f} to {share['most']:.2f})")
    save(
        options.out, "startup", {"config": options.config, "pairs": options.pairs, "medians": medians, "ratios": shares}
    )


def start(tree: Path, config: str, settings: list[str], folder: Path) -> tuple[float, float, float]:
    """Seconds from the command to the first round, those on the processor, and modules, of the version in ``tree``."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(map(str, (tree, ROOT / "benchmarks")))}
    command = [sys.executable, "-c", START, "fit", "--config", str(tree / "configs" / config), *settings]
    command += ["--trainer.callbacks+=first_round.FirstRound", "--trainer.logger.save_dir", str(folder / "runs")]
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith(SAID)]
    if not told:
        raise SystemExit(f"{tree} made no round: {done.stderr}")
    now, processor, modules = map(float, told[0].removeprefix(SAID).split())
    return now - before, processor, modules


if __name__ == "__main__":
    main()
