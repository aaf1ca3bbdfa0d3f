"""What rounds.py measures, on a GPU: HAR, MNIST with the CNN and CIFAR-10 with ResNet20, in float32 and in bfloat16.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --only MNIST --precision bf16-mixed
    NVIDIA_TF32_OVERRIDE=0 python benchmarks/gpu.py --only MNIST --precision 32-true

Besides rounds a second, the loops and the shares: the profile of one round with what bounds it, how often the host
waits for the GPU in a round and where, the largest memory taken on the GPU, and whether repeated runs are equal bit for
bit. MNIST also comes under every rule, under every attack and with trainer.deterministic, and HAR under an attack, all
of them without the loops. CIFAR-10 comes twice, as batch normalisation trains one client at a time and group
normalisation all at once. With --device cpu it does everything that needs no GPU. What is measured is written after
each case.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from measure import GIB, RESULTS, describe_machine, save, say, spread
from rounds import measure, say_rate, say_shares, show
from runs import CONFIGS, fit, parameters_of, shares
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from flt.cli.training import Run
from flt.federation.plugins import callbacks_of
from flt.files import write_atomically

DTYPES = {"32-true": None, "bf16-mixed": torch.bfloat16}
COUNTED, PROFILED, WATCHED = 3, 4, 5  # which rounds are looked into, and how many a run for that has


@dataclass(frozen=True)
class Case:
    """What is run.

    Attributes:
        config: Name of the configuration.
        rounds: Rounds of a run.
        settings: Further arguments of ``flt fit``.
        loop_rounds: Rounds of the loops beside it, which are far slower; 0 for no loops.
    """

    config: str
    rounds: int
    settings: tuple[str, ...] = ()
    loop_rounds: int = 0


RULES = ("FedAvg", "Krum", "TrimmedMean", "Median")
ATTACKS = ("LabelFlipping", "KrumAttack", "TrimAttack", "ScalingAttack", "AdaptiveAttack")
CASES = {
    "HAR": Case("har_fltrust.yaml", 300, loop_rounds=30),
    "HAR, TrimAttack": Case("har_fltrust.yaml", 300, ("--attack=TrimAttack",)),
    "MNIST": Case("mnist_fltrust.yaml", 60, loop_rounds=5),
    **{f"MNIST, {rule}": Case("mnist_fltrust.yaml", 60, (f"--aggregation={rule}",)) for rule in RULES},
    **{f"MNIST, {attack}": Case("mnist_fltrust.yaml", 60, (f"--attack={attack}",)) for attack in ATTACKS},
    "MNIST, deterministic": Case(
        "mnist_fltrust.yaml", 60, ("--trainer.deterministic=true", "--model.clients_per_chunk=100")
    ),
    "CIFAR-10": Case("cifar10_fltrust.yaml", 3, loop_rounds=1),
    "CIFAR-10 with group normalisation": Case(
        "cifar10_fltrust.yaml", 5, ("--model.network.init_args.normalization=group",), loop_rounds=1
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="where to run (%(default)s)")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), help="some of the cases")
    parser.add_argument("--precision", choices=DTYPES, nargs="+", default=list(DTYPES), help="one of both precisions")
    parser.add_argument("--rounds", type=int, help="rounds of a run (300, 60 and 5; 3 with batch normalisation)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind, after one to warm up (%(default)s)")
    parser.add_argument("--stand-in", action="store_true", help="synthetic data even where the real ones are there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = parser.parse_args()
    if options.device == "gpu" and not torch.cuda.is_available():
        print("gpu.py needs a CUDA GPU and a torch built for it; --device cpu does without", file=sys.stderr)
        sys.exit(2)
    say(describe_machine())
    results, profiles = [], []
    for name in options.only:
        for precision in options.precision:
            say(f"{name}, {precision}")
            result, table = measure_case(CASES[name], precision, options)
            results.append({"name": name, "precision": precision, **result})
            profiles.append(f"{name}, {precision}: {result['round']['bound']}\n\n{table}\n")
            save(options.out, "gpu", {"device": options.device, "results": results})
            write_atomically(options.out / "gpu_profiles.txt", "\n".join(profiles))
    say(f"profiles in {options.out / 'gpu_profiles.txt'}")


def measure_case(case: Case, precision: str, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The numbers of one case, and the profile of one of its rounds as a table."""
    settings = [f"--trainer.accelerator={options.device}", f"--trainer.precision={precision}", *case.settings]
    settings += ["--data.stand_in=always"] if options.stand_in else []
    config = CONFIGS / case.config
    rounds = options.rounds or case.rounds
    if case.loop_rounds:
        loop_rounds = min(case.loop_rounds, rounds)
        result = measure(config, rounds, options.repeats, settings, DTYPES[precision], loop_rounds)
        show(result)
    else:
        result = measure_alone(config, rounds, options.repeats, settings)
    watch = OneRound(on_gpu=options.device == "gpu")

    def prepare(run: Run) -> None:
        callbacks_of(run.trainer).append(watch)

    fit(config, WATCHED, settings, prepare)
    inside = watch.found(1 / result["rounds_per_second"]["flt fit"]["median"])
    say(f"  {'repeated runs':<14}{'equal bit for bit' if result['repeats_are_equal'] else 'not equal bit for bit'}")
    say(f"  {'one round':<14}{inside['bound']}")
    if options.device == "gpu":
        where = ", ".join(f"{place} ({count})" for place, count in inside["waits_at"].items()) or "nowhere"
        say(f"  {'waits':<14}{inside['waits']} of the host for the GPU: {where}")
        say(f"  {'GPU memory':<14}{inside['gpu_memory_gib']:.2f} GiB")
    return result | {"round": inside}, watch.table


def measure_alone(config: Path, rounds: int, repeats: int, settings: Sequence[str]) -> dict[str, Any]:
    """Rounds a second and where they go, with nothing to compare them with."""
    rates, models = [], []
    for _ in range(repeats + 1):
        module, seconds = fit(config, rounds, settings)
        rates.append(rounds / seconds)
        models.append(parameters_of(module))
    device = module.data.root.features.device
    result = {
        "config": config.name,
        "data": module.data.display_name,
        "settings": list(settings),
        "rounds": rounds,
        "repeats": repeats,
        "repeats_are_equal": all(map(models[0].equal, models)),
        "rounds_per_second": {"flt fit": spread(rates[1:])},  # the first is a warm-up
        "shares": shares(config, rounds, settings, device),
    }
    say_rate("flt fit", result["rounds_per_second"]["flt fit"], "rounds/s")
    say_shares(result["shares"])
    return result


class OneRound(Callback):
    """Looks into a round: in one it counts how often the host waits for the GPU, in another it profiles.

    Args:
        on_gpu: Whether there is one.
    """

    def __init__(self, on_gpu: bool) -> None:
        self.on_gpu = on_gpu
        self.table = ""
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        self._profile = profile(activities=activities)
        self._waits: Counter[str] = Counter()
        self._memory = 0.0

    def on_train_start(self, *args: object) -> None:
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == COUNTED and self.on_gpu:
            torch.cuda.synchronize()
            self._catcher = warnings.catch_warnings(record=True)
            self._caught = self._catcher.__enter__()
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
        elif batch_idx == PROFILED:
            self._profile.__enter__()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == COUNTED and self.on_gpu:
            torch.cuda.set_sync_debug_mode("default")
            waits = [each for each in self._caught or () if "synchronizing CUDA" in str(each.message)]
            self._waits.update(f"{Path(each.filename).name}:{each.lineno}" for each in waits)
            self._catcher.__exit__(None, None, None)
        elif batch_idx == PROFILED:
            if self.on_gpu:
                torch.cuda.synchronize()
            self._profile.__exit__(None, None, None)

    def on_train_end(self, *args: object) -> None:
        self._memory = torch.cuda.max_memory_allocated() if self.on_gpu else 0.0

    def found(self, round_seconds: float) -> dict[str, Any]:
        """What was seen; ``round_seconds`` is what a round takes when nobody looks."""
        events = self._profile.key_averages()
        sort_by = "self_cuda_time_total" if self.on_gpu else "self_cpu_time_total"
        self.table = events.table(sort_by=sort_by, row_limit=15, max_name_column_width=60)
        host_ms = sum(event.self_cpu_time_total for event in events) / 1000
        if not self.on_gpu:
            return {
                "bound": f"{host_ms:.1f} ms of the processor when profiled, {1000 * round_seconds:.1f} ms otherwise"
            }
        on_device = [event for event in events if event.device_type == DeviceType.CUDA]
        kernels = [event for event in on_device if not event.is_user_annotation]
        busy = sum(event.self_device_time_total for event in kernels) / 1e6
        count, share = sum(event.count for event in kernels), busy / round_seconds
        by = "by the GPU" if share > 0.8 else "by the host, which cannot give the GPU work fast enough"
        return {
            "bound": f"GPU at work for {1000 * busy:.2f} of {1000 * round_seconds:.2f} ms ({100 * share:.0f} %),"
            f" {count:,} kernels and copies: bound {by}",
            "gpu_seconds": busy,
            "gpu_share": share,
            "kernels": count,
            "waits": sum(self._waits.values()),
            "waits_at": dict(self._waits.most_common(8)),
            "gpu_memory_gib": self._memory / GIB,
        }


if __name__ == "__main__":
    main()
