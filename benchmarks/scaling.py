"""Time and memory of a round over the number of clients, of parameters and of processes.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --quick

On synthetic data of 4 examples a client, each case of the clients in a process of its own:
clients      10 to 100,000 with logistic regression (HAR's, 3,372 parameters) and 10 to 10,000 with the CNN (139,960),
             under FLTrust, which takes a round of many clients part by part
parameters   1,000 to 10,000,000 of a linear layer, 10 clients, under FLTrust, Median and Krum
processes    one and two (gloo, one thread each), 100 clients of 32 examples with the CNN: FLTrust, of which sums are
             exchanged, and Median, of which every update is

A case's first round warms up, the median of the others counts. Slopes are least squares in log-log over the larger
half of the sizes: 1 is linear.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, describe_machine, in_fresh_processes, save, say
from scaling_case import RULES, Case, Network, ranks, root_dataset, run, run_rank
from scaling_plot import draw

from flt.files import write_atomically


@dataclass(frozen=True)
class Sizes:
    """What is measured: numbers of clients for each network, numbers of parameters, and a federation to share out."""

    clients: dict[Network, list[int]]
    parameters: list[int]
    shared_clients: int
    shared_rounds: int
    shared_rules: tuple[str, ...]


FULL = Sizes(
    {"logistic regression": [10, 100, 1000, 10_000, 30_000, 100_000], "CNN": [10, 100, 1000, 10_000]},
    [10**3, 10**4, 10**5, 10**6, 10**7],
    *(100, 8, ("FLTrust", "Median")),
)
QUICK = Sizes({"logistic regression": [10, 30]}, [10**3, 10**4], 4, 2, ("FLTrust",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few small sizes, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results and figure (%(default)s)")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    say(describe_machine())
    results = {
        "clients": {network: over_clients(network, counts) for network, counts in sizes.clients.items()},
        "parameters": {rule: over_parameters(rule, sizes.parameters) for rule in RULES},
        "processes": {rule: over_processes(rule, sizes) for rule in sizes.shared_rules},
    }
    save(options.out, "scaling", results)
    write_atomically(options.out / "scaling.png", draw(results))
    say(f"figure in {options.out / 'scaling.png'}")


def over_clients(network: Network, sizes: list[int]) -> dict[str, Any]:
    budget = {"logistic regression": 100_000, "CNN": 1000}[network]
    found: list[dict[str, Any]] = []
    for size in sizes:
        case = Case(network, size, rounds=1 + min(100, max(2, budget // size)))
        found.append({"clients": size, **in_fresh_processes(run, (case,))[0]})
        last = found[-1]
        say(
            f"{network}, {size:,} clients: {1000 * last['seconds']:.1f} ms a round, peak memory"
            f" {last['peak_gib']:.2f} GiB; beyond what was there before, rounds take {last['rounds_gib']:.2f} GiB"
        )
    exponent = slope(sizes, [each["seconds"] for each in found])
    smaller = min(found, key=lambda each: abs(10 * each["clients"] - sizes[-1]))
    growth = found[-1]["seconds"] / sizes[-1] / (smaller["seconds"] / smaller["clients"])
    say(
        f"{network}: time grows with the clients to the power of {exponent:.2f}; a client among {sizes[-1]:,} takes"
        f" {growth:.2f} times what one among {smaller['clients']:,} takes"
    )
    return {"sizes": found, "slope": exponent, "growth_per_client": growth}


def over_parameters(rule: str, sizes: list[int]) -> dict[str, Any]:
    found = []
    for size in sizes:
        case = Case("logistic regression", 10, rounds=1 + min(100, max(5, 10**7 // size)), rule=rule)
        case = dataclasses.replace(case, num_features=max(1, size // 6))
        found.append({"parameters": 6 * (case.num_features + 1), **run(case)})
        say(f"{rule}, {size:,} parameters: {1000 * found[-1]['seconds']:.2f} ms a round")
    exponent = slope([each["parameters"] for each in found], [each["seconds"] for each in found])
    say(f"{rule}: time grows with the parameters to the power of {exponent:.2f}")
    return {"sizes": found, "slope": exponent}


def over_processes(rule: str, sizes: Sizes) -> dict[str, Any]:
    case = Case("CNN", sizes.shared_clients, sizes.shared_rounds, rule, examples=32)
    with root_dataset(case) as root_path:
        (alone,), shared = (in_fresh_processes(run_rank, *ranks(case, root_path, size)) for size in (1, 2))
    reference = alone["parameters"]
    result = {
        "seconds": [alone["seconds"], max(rank["seconds"] for rank in shared)],
        # Whoever comes first waits for the other, which is no cost of the exchange.
        "exchange_seconds": min(rank["exchange"] for rank in shared),
        "largest_difference": float(max(np.abs(rank["parameters"] - reference).max() for rank in shared)),
        "largest_parameter": float(np.abs(reference).max()),
        "ranks_are_equal": all(np.array_equal(rank["parameters"], shared[0]["parameters"]) for rank in shared),
    }
    say(
        f"{rule}: {1 / result['seconds'][0]:.2f} rounds/s in one process, {1 / result['seconds'][1]:.2f} in two, whose"
        f" exchange takes {1000 * result['exchange_seconds']:.1f} ms a round; largest difference of a parameter"
        f" {result['largest_difference']:.1g} of {result['largest_parameter']:.1g}"
    )
    return result


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Exponent of the growth over the larger half of the sizes."""
    first = (len(sizes) - 1) // 2
    return float(np.polyfit(np.log(sizes[first:]), np.log(seconds[first:]), 1)[0])


if __name__ == "__main__":
    main()
