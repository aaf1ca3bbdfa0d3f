"""Rounds a second of HAR and MNIST under FLTrust beside a plain loop over clients, and where a round's time goes.

    python benchmarks/rounds.py
    python benchmarks/rounds.py --config configs/cifar10_fltrust.yaml --rounds 3 --repeats 3
    python benchmarks/rounds.py --config configs/mnist_fltrust.yaml --rounds 12 --attack trim

Three kinds of runs take turns, on the same data in memory. "flt fit" is what the command does, without evaluation. The
plain loop is Algorithm 1 as one would write it without this package: per round and client, the global model's weights,
a random batch, loss.backward(), an SGD step, and the difference sent; then the root update, FLTrust and the server's
step. The bare loop leaves out the copy, the step and the difference, which one local step can do without.

Where the time goes is measured in a run of its own, peak memory in a process of its own. The limit is what the
machine's own matrix product would take for the operations of a round.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from measure import GIB, RESULTS, describe_machine, matrix_product_limit, save, say, spread
from runs import CONFIGS, PARTS, PlainLoop, fit, operations, parameters_of, peak_memory_of, shares

DEFAULTS = {CONFIGS / "har_fltrust.yaml": 500, CONFIGS / "mnist_fltrust.yaml": 12}
LOOPS = ("plain loop", "bare loop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="one configuration in place of HAR's and MNIST's under FLTrust")
    parser.add_argument("--rounds", type=int, help="rounds of a run (500 for HAR, 12 for others)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind, after one to warm up (%(default)s)")
    parser.add_argument("--attack", help="a file of configs/attack, such as trim; the loops go without it")
    parser.add_argument("--stand-in", action="store_true", help="synthetic data even where the real ones are there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = parser.parse_args()
    settings = ["--trainer.accelerator=cpu"]
    if options.stand_in:
        settings.append("--data.stand_in=always")
    if options.attack:
        settings.append(f"--attack={CONFIGS / 'attack' / options.attack}.yaml")
    say(describe_machine())
    configs = [options.config.resolve()] if options.config else list(DEFAULTS)
    results = []
    for config in configs:
        rounds = options.rounds or DEFAULTS.get(config, 12)
        results.append(measure(config, rounds, options.repeats, settings))
        show(results[-1])
    special = [options.config.stem] if options.config else []
    special += [options.attack] if options.attack else []
    save(options.out, "_".join(["rounds", *special]), {"results": results})


def measure(
    config: Path,
    rounds: int,
    repeats: int,
    settings: Sequence[str],
    dtype: torch.dtype | None = None,
    loop_rounds: int | None = None,
) -> dict[str, Any]:
    """Everything about one configuration.

    Args:
        config: The configuration.
        rounds: Rounds of a run.
        repeats: Runs of each kind, after one to warm up.
        settings: Further arguments of ``flt fit``.
        dtype: What the loops cast to while training, if anything.
        loop_rounds: Rounds of the loops where these are so slow that fewer tell as much; None for as many.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ("flt fit", *LOOPS)}
    models, per_loop = [], loop_rounds or rounds
    for repeat in range(repeats + 1):
        module, own = fit(config, rounds, settings)
        models.append(parameters_of(module))
        loops = [
            PlainLoop(module, bare=bare, dtype=dtype).seconds(per_loop) * rounds / per_loop for bare in (False, True)
        ]
        if repeat:  # the first is a warm-up
            for name, value in zip(seconds, (own, *loops), strict=True):
                seconds[name].append(value)
            shown = ", ".join(f"{name} {rounds / values[-1]:.2f}" for name, values in seconds.items())
            say(f"  {module.data.display_name}, {repeat} of {repeats}: {shown} rounds/s")
    device = module.data.root.features.device
    count, limit = operations(module), matrix_product_limit(device, dtype or torch.float32)
    rates = {name: spread([rounds / value for value in values]) for name, values in seconds.items()}
    ratios = {
        name: spread([loop / own for loop, own in zip(seconds[name], seconds["flt fit"], strict=True)])
        for name in LOOPS
    }
    return {
        "config": config.name,
        "data": module.data.display_name,
        "clients": module.federation.clients_per_round,
        "batch_size": module.data.batch_size,
        "parameters": sum(parameter.numel() for parameter in module.network.parameters()),
        "aggregation": module.rule.label,
        "malicious": module.federation.num_malicious,
        "rounds": rounds,
        "repeats": repeats,
        "repeats_are_equal": all(map(models[0].equal, models)),
        "rounds_per_second": rates,
        "ratio": ratios,
        "shares": shares(config, rounds, settings, device),
        "operations_per_round": count,
        "limit_operations_per_second": limit,
        "limit_rounds_per_second": limit / count,
        "limit_reached": rates["flt fit"]["median"] / (limit / count),
        "peak_memory_gib": peak_memory_of(config, settings) / GIB,
    }


def show(result: dict[str, Any]) -> None:
    """Prints what `measure` found."""
    attacked = f", {result['malicious']} malicious" if result["malicious"] else ""
    say(
        f"{result['data']}: {result['clients']} clients{attacked} x {result['batch_size']} examples,"
        f" {result['parameters']:,} parameters, {result['aggregation']}; medians of {result['repeats']} runs of"
        f" {result['rounds']} rounds"
    )
    for name, rate in result["rounds_per_second"].items():
        say_rate(name, rate, "rounds/s")
    for name, ratio in result["ratio"].items():
        say_rate("ratio", ratio, f"times the {name}")
    say_shares(result["shares"])
    say(
        f"  {'limit':<14}{result['limit_rounds_per_second']:.2f} rounds/s"
        f" ({result['operations_per_round'] / 1e9:.3g} GFLOP a round at"
        f" {result['limit_operations_per_second'] / 1e9:,.0f} GFLOP/s): {100 * result['limit_reached']:.1f} % reached"
    )
    say(f"  {'peak memory':<14}{result['peak_memory_gib']:.2f} GiB")


def say_shares(shares: dict[str, float]) -> None:
    """Prints where a round's time goes."""
    parts = [f"{part} {100 * shares[part]:.1f} %" for part in PARTS]
    say(f"  {'of a round':<14}{', '.join(parts)}")


def say_rate(name: str, values: dict[str, float], unit: str) -> None:
    """Prints a median with its spread."""
    say(f"  {name:<14}{values['median']:.2f} {unit}  ({values['least']:.2f} to {values['most']:.2f})")


if __name__ == "__main__":
    main()
