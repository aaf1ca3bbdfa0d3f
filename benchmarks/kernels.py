"""What the arithmetic of a round takes, beside another version of this package.

    python benchmarks/kernels.py --against ../before

Each case runs in a process of its own: this version and, in turn with it, the one in another working tree. Ratios are
of the two runs of a pair. Rounds also say whether both versions end with the same parameters, bit for bit. Results of
cases that are not run again stay in the file.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import RESULTS, describe_machine, save, say, spread

ROOT = Path(__file__).parents[1]
CPU = ("--trainer.accelerator=cpu",)
BUCKETING = (
    *("--aggregation=Bucketing", "--aggregation.size=2", "--aggregation.rule=CenteredClipping"),
    *("--aggregation.rule.max_norm=10.0", "--aggregation.rule.num_steps=3", "--data.added_data=none"),
)
ROUNDS = {
    "HAR": ("har_fltrust.yaml", 500, ()),
    "MNIST": ("mnist_fltrust.yaml", 8, ()),
    "MNIST, bf16-mixed": ("mnist_fltrust.yaml", 8, ("--trainer.precision=bf16-mixed",)),
    "bucketing, CClip": ("mnist_bucketing.yaml", 6, BUCKETING),
}
WIDE = ("FLTrust", "Krum", "Median")
CALLS = {
    "attacks": (100, ("KrumAttack", "SybilNoise", "SybilNoise(SybilNoise-turns)")),
    "rules": (100, ("FLTrust", "FedAvg", "Krum", "NormBoundedMean")),
    "rules of 14": (14, ("Median", "TrimmedMean")),
    "rules of 25": (25, ("Median", "TrimmedMean")),
}
CASES = (*ROUNDS, *(f"wide {rule}" for rule in WIDE), *CALLS)
# Run in the other version as well: it may use nothing of this version.
WORKER = """
import dataclasses, hashlib, importlib, json, sys, warnings
warnings.simplefilter("ignore")
from measure import median_seconds
name, case = sys.argv[1], json.loads(sys.argv[2])
if name.startswith("wide"):
    from scaling_case import Case, run
    wide = Case("logistic regression", 10, rounds=case["rounds"], rule=name.split()[1])
    found = {name: run(dataclasses.replace(wide, num_features=case["parameters"] // 6))["seconds"]}
elif "names" in case:
    calls = importlib.import_module(name.split()[0]).cases(case["clients"], case["clients"] // 5, case["parameters"])
    found = {f"{name}: {each}": median_seconds(calls[each], case["calls"]) for each in case["names"]}
else:
    from runs import CONFIGS, fit
    fit(CONFIGS / case["config"], 2, case["settings"])
    module, seconds = fit(CONFIGS / case["config"], case["rounds"], case["settings"])
    ended = b"".join(each.detach().numpy().tobytes() for each in module.network.parameters())
    found = {name: seconds / case["rounds"], "parameters": hashlib.sha1(ended).hexdigest()}
print("\\n" + json.dumps(found))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--against", type=Path, help="a working tree with another version")
    arguments.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="what to run (all)")
    arguments.add_argument("--pairs", type=int, default=5, help="runs of each version (%(default)s)")
    arguments.add_argument("--quick", action="store_true", help="small sizes and synthetic data, to see that it works")
    arguments.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    options = arguments.parse_args()
    say(describe_machine())
    trees = {"this version": ROOT} | ({"the other": options.against.resolve()} if options.against else {})
    found: dict[str, dict[str, list[Any]]] = {}
    for _ in range(options.pairs):
        for name in options.cases:
            for version, tree in trees.items():
                for what, value in run(tree, name, case_of(name, quick=options.quick)).items():
                    what = f"{name}: parameters" if what == "parameters" else what
                    found.setdefault(what, {each: [] for each in trees})[version].append(value)
    results = {what: summary(what, list(values.values())) for what, values in found.items()}
    kept = options.out / "kernels.json"
    before = json.loads(kept.read_text())["cases"] if kept.exists() and not options.quick else {}
    save(options.out, "kernels", {"pairs": options.pairs, "cases": before | results})


def case_of(name: str, *, quick: bool) -> dict[str, Any]:
    """The sizes of a case."""
    if name in CALLS:
        clients, names = CALLS[name]
        size = {"clients": 10, "parameters": 500, "calls": 1} if quick else {}
        return {"names": names, "clients": clients, "parameters": 139_960, "calls": 7} | size
    if name in ROUNDS:
        config, rounds, settings = ROUNDS[name]
        settings = (*CPU, *settings, *(["--data.stand_in=always"] if quick else []))
        return {"config": config, "rounds": 2 if quick else rounds, "settings": settings}
    return {"rounds": 2, "parameters": 600} if quick else {"rounds": 6, "parameters": 10**7}


def run(tree: Path, name: str, case: dict[str, Any]) -> dict[str, Any]:
    """What the version in ``tree`` takes for a case, in seconds."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tree, tree / "benchmarks")))}
    command = [sys.executable, "-c", WORKER, name, json.dumps(case)]
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tree}, {name}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(what: str, values: list[list[Any]]) -> Any:
    """Says and returns what both versions took, or whether they agree."""
    if isinstance(values[0][0], str):
        agree = len({each for version in values for each in version}) == 1
        say(f"  {what:<40}{'the same' if agree else 'OTHERS'} in every run")
        return {"are_equal": agree}
    seconds = [spread(each) for each in values]
    ratio = spread([now / before for now, before in zip(values[0], values[-1], strict=True)])
    shown = ", ".join(f"{1000 * each['median']:8.2f} ms" for each in seconds)
    say(f"  {what:<40}{shown}; ratio {ratio['median']:.3f} ({ratio['least']:.3f} to {ratio['most']:.3f})")
    return {"seconds": seconds, "ratio": ratio, "runs": values}


if __name__ == "__main__":
    main()
