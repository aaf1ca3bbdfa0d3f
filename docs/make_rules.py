"""Makes rules.md from the classes and the benchmark: ``python docs/make_rules.py > docs/rules.md``."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import docstring_parser

import callbacks
from flt.federation import Aggregation, PreAggregation

HERE = Path(__file__).parent
COSTS = HERE.parent / "benchmarks" / "results" / "rules.json"

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
    measured = json.loads(COSTS.read_text())
    print(HEAD.format(**measured))
    rules = [kind for kind in classes() if not issubclass(kind, PreAggregation)]
    around = [kind for kind in classes() if issubclass(kind, PreAggregation)]
    for title, kinds in (("Rules", rules), ("Pre-aggregations", around)):
        print(f"## {title}\n")
        print("| rule | what it computes | needs | time, ms | paper |")
        print("|---|---|---|---|---|")
        for kind in kinds:
            print(row(kind, measured))
        print()
    print("## What each refuses, and how we read it\n")
    for kind in [*rules, *around]:
        told = [(name, section(kind, name)) for name in ("Raises", "Reading")]
        if any(text for _, text in told):
            print(f"**`{kind.__name__}`**\n")
            for name, text in told:
                if text:
                    print(f"- {name}: {plain(text).removeprefix('InputError: ')}")
            print()
    print(TAIL)


def classes() -> list[type[Aggregation]]:
    """Every rule and pre-aggregation that may be chosen by its name."""
    found = [value for name, value in vars(callbacks).items() if inspect.isclass(value) and name in callbacks.__all__]
    return sorted({kind for kind in found if issubclass(kind, Aggregation)}, key=lambda kind: kind.__name__.lower())


def row(kind: type[Aggregation], measured: dict[str, Any]) -> str:
    """A class's row of the table."""
    summary = docstring_parser.parse(inspect.getdoc(kind) or "").short_description or ""
    cells = (f"`{kind.__name__}`", plain(summary), ", ".join(needs(kind)), time_of(kind, measured))
    return f"| {' | '.join((*cells, plain(section(kind, 'Reference'))))} |"


def needs(kind: type[Aggregation]) -> list[str]:
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
    return [*(name for name, does in given.items() if does), *(f"`{name}`" for name in required)]


def time_of(kind: type[Aggregation], measured: dict[str, Any]) -> str:
    """Milliseconds of the rule, or of the pre-aggregation with the rule in its row of the tests' table."""
    names = [name for name in measured["costs"] if name == kind.__name__ or name.startswith(f"{kind.__name__}(")]
    return f"{1000 * measured['costs'][names[0]]['seconds']:.1f}" if names else ""


def section(kind: type, title: str) -> str:
    """The text of a docstring's section, its lines joined."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def plain(text: str) -> str:
    """A docstring's text in a cell of a Markdown table."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    main()
