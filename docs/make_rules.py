"""Makes rules.md from the classes and the benchmark: ``python docs/make_rules.py > docs/rules.md``."""

import inspect
import sys
from pathlib import Path
from typing import Any

from flt.federation import Aggregation, PreAggregation

sys.path.append(str(Path(__file__).parent))
from pages import classes, measured, name_of, paper, summary, table, told

HEAD = """# Rules

`flt fit --config configs/har_fltrust.yaml --aggregation Krum` runs any of these by its name;
`flt fit --aggregation.help Krum` says what it takes, as [settings](settings.md) does for all of them. A pre-aggregation
goes around any rule, and around other pre-aggregations: `--aggregation NNM --aggregation.rule Median`. Where f, the
number of malicious clients to tolerate, is not given, it is the number of malicious clients of the run, as in the
papers. This page is made from the classes by `python docs/make_rules.py`, the picture by `python docs/draw_rules.py`.

![every rule on the same updates](rules.png)

Every rule on the same twenty updates, four of them malicious, with two parameters. A dot's size is the client's weight;
hollow ones are left out. Rules that go coordinate by coordinate have no weights.

What all of them share:

- An update with a NaN or an infinity is dropped before the rule sees it; f stays. Where too few are left for f, the
  rule tolerates as many as they allow, with a warning.
- Of equals the one with the lower client id is taken. The median of an even number is the mean of the middle two. A
  zero update has cosine 0 with everything.
- Clients weigh the same unless a rule says otherwise: their number of examples is their own word.
- Random numbers depend on the seed and the round alone. What a rule remembers is kept by client id, in checkpoints, and
  the same on every process.
- The time is that of the rule alone, on the updates of {clients} clients with {parameters:,} parameters, {malicious} of
  them malicious, on the machine of [`benchmarks/results/rules.json`](../benchmarks/results/rules.json).
"""

TAIL = """## What is not here

DeepSight needs the network's output layer by name, three times 20,000 forward passes of noise for each client and
round, and three HDBSCANs, whose general form, unlike the majority that FLAME asks for, follows from no graph of
pairs; implementations disagree on whether suspicious or benign members of a cluster are counted. FLARE needs the
features before the last layer, which a module of anybody's does not name; implementations disagree on whether a
client votes for itself and on whether votes are exponentiated. FLShield, Siren, BaFFLe, FLAIR and RoFL are protocols
in which clients vote, raise alarms or prove something: more than a function of the updates. SkyMask and FLGuard train
networks on the server in every round; FedRoLA and OptiGradTrust have many constants without a rule for them. ByITFL
is FLTrust with another score inside a private protocol. Kardam is asynchronous; Safeguard and ByzantineSGD need
thresholds tuned to the run."""


def main() -> None:
    costs = measured("rules")
    print(HEAD.format(**costs))
    columns = {
        "rule": name_of,
        "what it computes": summary,
        "needs": needs,
        "time, ms": lambda kind: time_of(kind, costs),
        "paper": paper,
    }
    rules = [kind for kind in classes(Aggregation) if not issubclass(kind, PreAggregation)]
    table("Rules", rules, columns)
    table("Pre-aggregations", classes(PreAggregation), columns)
    told([*rules, *classes(PreAggregation)])
    print(TAIL)


def needs(kind: type[Aggregation]) -> str:
    """What a rule takes besides the updates."""
    takes = inspect.signature(kind).parameters
    required = [
        name for name, own in takes.items() if own.default is own.empty and own.kind is own.POSITIONAL_OR_KEYWORD
    ]
    given = {
        "f": "num_byzantine" in takes or "trim" in takes,
        "a rule": "rule" in takes,
        "the root update": kind.needs_root_update is True,
        "the root dataset": getattr(kind, "needs_root_data", False) is True,
    }
    return ", ".join([*(name for name, does in given.items() if does), *(f"`{name}`" for name in required)])


def time_of(kind: type[Aggregation], costs: dict[str, Any]) -> str:
    """Milliseconds of the rule, or of the pre-aggregation with the rule in its row of the tests' table."""
    names = [name for name in costs["costs"] if name == kind.__name__ or name.startswith(f"{kind.__name__}(")]
    return f"{1000 * costs['costs'][names[0]]['seconds']:.1f}" if names else ""


if __name__ == "__main__":
    main()
