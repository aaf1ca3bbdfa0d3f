"""What a grid takes beside its rounds: time, in turns with another version, and a process over many short runs.

    python benchmarks/grids.py --against ../other

``--against`` is a checkout of another version, such as ``git worktree add ../other COMMIT`` makes. Its grids are run in
turns with those of this one, which comes first in every other pair; the ratio is the median of pairs. On a busy machine
seconds on processors say more than those by the clock.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from measure import GIB, RESULTS, processor_seconds, resident_memory, save, say

HERE = Path(__file__).parents[1]
GRID = HERE / "configs" / "tables" / "table3_har.yaml"
AXES = {
    name: list(values)
    for path in yaml.safe_load(GRID.read_text())["axes"]
    for name, values in yaml.safe_load((GRID.parent / path).read_text()).items()
}
EACH = 10
"""Runs between two looks at a process."""


def main() -> None:
    """Measures and writes ``grids.json``."""
    options = read_options()
    if options.process_here:
        process_here(options)
        return
    folders = {"this": HERE, **({"other": options.against.resolve()} if options.against else {})}
    results: dict[str, Any] = {name: getattr(options, name) for name in ("rules", "attacks", "seeds", "rounds", "jobs")}
    if options.pairs:
        results["seconds"] = in_turns(folders, options)
    if options.short_runs:
        results["process"] = {name: process_of(folder) for name, folder in folders.items()}
    save(options.out, "grids", results)


def read_options() -> argparse.Namespace:
    """The arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="checkout of another version; none measures this one alone")
    parser.add_argument("--pairs", type=int, default=3, help="grids of each version; 0 leaves time out")
    parser.add_argument("--rules", nargs="+", default=AXES["rule"], help="rules of Table III(e), on HAR")
    parser.add_argument("--attacks", nargs="+", default=AXES["attack"], help="its attacks")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--rounds", type=int, default=1000, help="rounds of a run")
    parser.add_argument("--jobs", type=int, default=2, help="processes of a grid")
    parser.add_argument("--short-runs", type=int, default=240, help="runs of three rounds in one process; 0 for none")
    parser.add_argument("--stand-in", action="store_true", help="synthetic data in place of HAR")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--process-here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def grid_of(options: argparse.Namespace, rounds: int, seeds: int, out: str) -> list[str]:
    """Arguments of ``flt table`` for a part of Table III(e)."""
    chosen = {"attack": options.attacks, "rule": options.rules}
    others = {name: [label for label in labels if label not in chosen[name]] for name, labels in AXES.items()}
    settings = {"model.num_byzantine": 6, "trainer.max_steps": rounds}
    settings |= {"data.stand_in": "always"} if options.stand_in else {}
    arguments = {
        "settings": settings,
        "seeds": list(range(seeds)),
        "exclude": [{name: labels} for name, labels in others.items() if labels],
    }
    words = [f"--{name}={json.dumps(value)}" for name, value in arguments.items()]
    return ["--config", str(GRID), "--out", out, "--jobs", str(options.jobs), *words]


def run_in(folder: Path, arguments: Sequence[str]) -> str:
    """What Python prints with some arguments, where ``flt`` is that of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


# Time


def in_turns(folders: dict[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    """Seconds by the clock and on processors of each version's grids, and the ratios of pairs."""
    found: dict[str, Any] = {name: [] for name in folders}
    for pair in range(options.pairs):
        for name, folder in sorted(folders.items(), reverse=pair % 2 == 0):
            found[name].append(cost_of(folder, options))
            say(f"{name}: " + ", ".join(f"{seconds:.1f} s {what}" for what, seconds in found[name][-1].items()))
    if len(folders) > 1:
        pairs = list(zip(found["this"], found["other"], strict=True))
        found["ratio"] = {what: statistics.median(a[what] / b[what] for a, b in pairs) for what in pairs[0][0]}
        say(f"ratio: {found['ratio']}")
    return found


def cost_of(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds that one grid of a checkout takes, those of all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        arguments = grid_of(options, options.rounds, options.seeds, out)
        run_in(folder, ["-c", "from flt.main import console; console()", "table", *arguments])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    on_processors = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"by the clock": time.perf_counter() - start, "on processors": on_processors}


# A process


def process_of(folder: Path) -> dict[str, Any]:
    """A process of a grid that makes runs of three rounds: its memory, and its time for a run but the first ones.

    Memory is what is resident, in GiB, by how many runs it has made.
    """
    found: dict[str, Any] = json.loads(run_in(folder, [__file__, *sys.argv[1:], "--process-here"]).splitlines()[-1])
    say(f"{folder}: {found}")
    return found


def process_here(options: argparse.Namespace) -> None:
    """Prints what `process_of` gives; to be run where ``flt`` is that of the checkout."""
    from flt.grid import Local
    from flt.grid.commands import request
    from flt.grid.execution import run as running

    jobs_of = getattr(running, "jobs_of", None) or running._jobs_of  # as earlier versions call it

    memory, seconds = dict[int, float](), list[float]()
    with tempfile.TemporaryDirectory() as out:
        seeds = -(-options.short_runs // (len(options.rules) * len(options.attacks)))
        grid = request(grid_of(options, 3, seeds, out)).grid
        jobs = list(jobs_of(grid, Path(out) / "cells"))[: options.short_runs]
        for ended in Local(threads=1).outcomes(jobs, 1):
            if ended is not None:
                _, outcome = ended
                assert outcome.error is None, outcome.error
                (process,) = multiprocessing.active_children()
                seconds.append(processor_seconds(process.pid))
                if len(seconds) in (1, len(jobs)) or len(seconds) % EACH == 0:
                    memory[len(seconds)] = resident_memory(process.pid) / GIB
    first = min(EACH, len(seconds) // 2)  # of which some load data and import modules
    a_run = (seconds[-1] - seconds[first - 1]) / (len(seconds) - first)
    say(json.dumps({"resident_gib": memory, "seconds_a_run": a_run}))


if __name__ == "__main__":
    main()
