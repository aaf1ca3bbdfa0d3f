"""What the benchmarks of rules and of attacks share: updates as a round has them, and times as shares of a round."""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from measure import RESULTS, describe_machine, median_seconds, say
from runs import CONFIGS, fit
from torch import Tensor

from flt.errors import InputError

SIZES = ("clients", "malicious", "parameters", "repeats")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments of both."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--clients", type=int, default=100, help="clients that send an update (%(default)s)")
    found.add_argument("--malicious", type=int, default=20, help="malicious ones among them (%(default)s)")
    found.add_argument("--parameters", type=int, default=139_960, help="length of an update (%(default)s)")
    found.add_argument("--repeats", type=int, default=7, help="calls of each, after as many to warm up (%(default)s)")
    found.add_argument(
        "--config", type=Path, default=CONFIGS / "mnist_fltrust.yaml", help="whose round to compare with"
    )
    found.add_argument("--rounds", type=int, default=12, help="rounds of a run of it (%(default)s)")
    found.add_argument("--stand-in", action="store_true", help="synthetic data even where the real ones are there")
    found.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    found.add_argument(
        "--processor-time",
        action="store_true",
        help="one thread's seconds on the processor, for a machine that is busy",
    )
    return found


def example(num_clients: int, num_params: int) -> tuple[Tensor, Tensor]:
    """Updates and a root update that have something in common."""
    draws = torch.Generator().manual_seed(0)
    root_update = torch.randn(num_params, generator=draws)
    updates = torch.randn(num_clients, num_params, generator=draws)
    return updates.add_(root_update).mul_(0.01), root_update


def time_beside_a_round(
    options: argparse.Namespace, cases: Mapping[str, Callable[[], object]], aims: Mapping[str, float]
) -> dict[str, Any]:
    """Times a round of the configuration and then each case; says and returns what to save.

    Args:
        options: What `parser` has read.
        cases: What to time.
        aims: The share of a round that a case is to stay under, for those that have one.
    """
    now = time.process_time if options.processor_time else time.perf_counter
    if options.processor_time:
        torch.set_num_threads(1)
    say(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}")
    settings = ["--trainer.accelerator=cpu", *(["--data.stand_in=always"] if options.stand_in else [])]
    # The first is a warm-up.
    runs = [fit(options.config.resolve(), options.rounds, settings, now=now) for _ in range(4)][1:]
    data, round_seconds = runs[0][0].data.display_name, statistics.median(total for _, total in runs) / options.rounds
    say(f"a round of {data}: {1000 * round_seconds:.1f} ms")
    say(f"[{options.clients}, {options.parameters:,}] updates, {options.malicious} malicious, {options.repeats} calls")
    costs = {}
    for name, function in cases.items():
        try:
            seconds = median_seconds(function, options.repeats, now)
        except InputError as error:  # a search that so many clients would make too long
            say(f"  {name:<34}refused: {error}")
            continue
        costs[name] = {"seconds": seconds, "share_of_round": seconds / round_seconds, "aim": aims.get(name)}
        aim = f"  (aim: under {100 * aims[name]:.0f} %)" if name in aims else ""
        say(f"  {name:<34}{1000 * seconds:9.2f} ms{100 * seconds / round_seconds:8.1f} % of a round{aim}")
    sizes = {name: getattr(options, name) for name in SIZES}
    return {
        "data": data,
        "load": os.getloadavg()[0],
        "clock": now.__name__,
        "round_seconds": round_seconds,
        **sizes,
        "costs": costs,
    }
