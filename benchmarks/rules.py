"""What each aggregation rule costs beside a round of MNIST.

    python benchmarks/rules.py

Times each rule of the tests' table on the updates of 100 clients of the CNN's 139,960 parameters, and a round of
configs/mnist_fltrust.yaml in the same run; where ByzFL is installed, its rules, too.

    python benchmarks/rules.py --memory

Measures how much memory each rule takes on top of the updates of 1,000 clients, in a process of its own.
"""

import argparse
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from beside_a_round import SIZES, example, parser, time_beside_a_round
from measure import (
    describe_machine,
    in_fresh_processes,
    median_seconds,
    peak_memory,
    reset_peak_memory,
    resident_memory,
    save,
    say,
)
from torch import Tensor

from flt.errors import InputError
from flt.federation import Aggregation

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from catalogue import RULES
from hostile import federation_of, round_of
from peers import PEERS, Peer

AIMS = {"FLTrust": 0.03, "Median": 0.15, "TrimmedMean": 0.15, "Krum": 0.15}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--memory", action="store_true", help="measure memory instead, with ten times the clients")
    options = arguments.parse_args()
    if options.memory:
        say(describe_machine())
        options.clients, options.malicious = 10 * options.clients, 10 * options.malicious
        return measure_memory(options)
    found = time_beside_a_round(options, cases(options.clients, options.malicious, options.parameters), AIMS)
    theirs = time_peers(options.clients, options.malicious, options.parameters, options.repeats)
    save(options.out, "rules", found | {"byzfl": theirs})


def time_peers(num_clients: int, num_malicious: int, num_params: int, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds of ByzFL's rules and of ours as they are compared, one after the other; nothing where it is missing."""
    if importlib.util.find_spec("byzfl") is None:
        say("ByzFL is not installed: no comparison")
        return {}
    import byzfl

    (updates, root_update), found = example(num_clients, num_params), {}
    for peer in PEERS:
        # Their MDA looks at every subset: of so many clients there are 10^20.
        few = updates[:12] if peer.name == "MDA" else updates
        f = min(num_malicious, (len(few) - 1) // 3)
        theirs = median_seconds(partial(_of_byzfl, byzfl, peer, few, f), repeats)
        if peer.inner is None:
            ours = median_seconds(partial(peer.ours, few, f), repeats)
        else:  # whose rows nobody has to write down
            rule = next(rule for rule in RULES if rule.name == peer.name)
            ours = median_seconds(partial(call, rule.make(), few, root_update, f), repeats)
        found[peer.name] = {"clients": len(few), "byzfl_seconds": theirs, "flt_seconds": ours, "ratio": theirs / ours}
        say(f"  {peer.name:<34}{1000 * ours:9.2f} ms, ByzFL {1000 * theirs:9.2f} ms: {theirs / ours:.1f} times")
    return found


def _of_byzfl(byzfl: Any, peer: Peer, updates: Tensor, f: int) -> None:
    rows = peer.theirs(byzfl, f)(updates.clone())  # it changes what it is given
    if peer.inner is not None:
        getattr(byzfl, peer.inner)()(rows)


def measure_memory(options: argparse.Namespace) -> None:
    """Memory that each rule takes on top of the updates, each in a fresh process."""
    say(f"memory on top of [{options.clients}, {options.parameters:,}] updates, in copies of them")
    found = {}
    for number, rule in enumerate(RULES):
        sizes = (options.clients, options.malicious, options.parameters)
        try:
            ((copies, seconds),) = in_fresh_processes(copies_of_updates, (number, *sizes))
        except InputError as error:
            say(f"  {rule.name:<34}refused: {error}")
            continue
        found[rule.name] = {"copies": copies, "seconds": seconds}
        say(f"  {rule.name:<34}{copies:6.2f}{seconds:10.2f} s")
    save(options.out, "rules_memory", {**{name: getattr(options, name) for name in SIZES}, "rules": found})


def copies_of_updates(number: int, num_clients: int, num_malicious: int, num_params: int) -> tuple[float, float]:
    """Peak memory of a rule in a round, over that of the updates; and its seconds."""
    updates, root_update = example(num_clients, num_params)
    rule = RULES[number].make()
    call(rule, example(8, 16)[0], example(8, 16)[1], 1)  # what is loaded with the first call is no copy
    reset_peak_memory()
    before, started = resident_memory(), time.perf_counter()
    call(rule, updates, root_update, num_malicious)
    return (peak_memory() - before) / (4 * updates.numel()), time.perf_counter() - started


def call(rule: Aggregation, updates: Tensor, root_update: Tensor, num_malicious: int) -> None:
    """One round of a rule, which has not seen these updates before."""
    malicious = torch.arange(len(updates)) < num_malicious
    federation = federation_of(num_examples=torch.full((len(updates),), 600), malicious=malicious)
    round = round_of(federation, updates, root_update)
    rule.check(federation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rule.finish(rule.fold(round), round)


def cases(num_clients: int, num_malicious: int, num_params: int) -> dict[str, Callable[[], object]]:
    """Every rule as a call, by its name."""
    updates, root_update = example(num_clients, num_params)
    return {rule.name: partial(call, rule.make(), updates, root_update, num_malicious) for rule in RULES}


if __name__ == "__main__":
    main()
