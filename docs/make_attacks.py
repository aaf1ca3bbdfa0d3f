"""Makes attacks.md from the classes and the benchmark: ``python docs/make_attacks.py > docs/attacks.md``."""

import inspect
import sys
from pathlib import Path
from typing import Any

from callbacks import AttackGroups, NoAttack, Worst
from callbacks.attacks.worst import SETS
from flt.federation import Attack

sys.path.append(str(Path(__file__).parent))
from pages import RESULTS, classes, measured, name_of, paper, plain, summary, table, told

HEAD = """# Attacks

`flt fit --config configs/har_fltrust.yaml --attack ALIE` runs any of these by its name; `flt fit --attack.help ALIE`
says what it takes, as [settings](settings.md) does for all of them. This page is made from the classes by
`python docs/make_attacks.py`, the picture by `python docs/draw_attacks.py`.

![what each attack sends for the same honest updates](attacks.png)

The same sixteen benign updates with two parameters, and what four malicious clients send in place of their honest
updates (hollow). An arrow at the border is an update beyond it. Attacks that ask the rule are told the median. Attacks
that keep something are seen in the fourth round. Attacks by data or training, for which it takes a network, are not
here.

What all of them share:

- Everything is an update, what a client adds to the global model. Papers that write gradients have the other sign; a
  formula with a deviation in it, such as ALIE's, changes its sign with it.
- `fraction` of the clients are malicious. n clients take part in a round, m of them malicious; both are those of the
  round, not of the whole federation.
- `knowledge: full` knows every benign update of the round before it is sent, `partial` the malicious clients' own
  honest updates alone. It has no effect, and says so, on attacks that need no other client's update.
- `start_round`, `end_round`, `every`, `ramp` and `redraw` say when, and who.
- Where nobody is malicious, or nothing is known, honest updates are sent. One known update has deviation 0.
- An attack that asks the rule asks all of it, with its pre-aggregations, its root update and what it remembers, and
  leaves no trace in it.
- Random numbers depend on the seed and the round alone. What an attack remembers is kept in checkpoints."""

COSTS = """- The time is that of crafting alone, for {malicious} malicious clients among {clients} with {parameters:,}
  parameters, on the machine of [`benchmarks/results/attacks.json`](../benchmarks/results/attacks.json). Those that ask
  the rule ask Krum."""

FAMILIES = {
    "attacks": "The paper's attacks",
    "blind": "Attacks that know no other client's update",
    "omniscient": "Attacks that know the benign updates",
    "tailored": "Attacks that ask the rule",
    "backdoors": "Backdoors, and training of their own",
}
"""Titles of the families, by the package that they are in; the first are in none of their own."""

TAIL = """## Several attacks

`AttackGroups` makes several of them in one run, each with malicious clients and a schedule of its own
([Extending](extending.md#an-attack)).

`--attack Worst` is a fixed set of attacks without parameters, a run for each of them: the worst counts, as in
AutoAttack for adversarial examples. One table has the worst and the runner-up; `--attack.family backdoors` is the other
set. In a grid `attack: [Worst]` is a level for each, and `worst: attack` a column with the worst.

| set | attack | stands for |
|---|---|---|"""


def main() -> None:
    has_costs = (RESULTS / "attacks.json").is_file()
    print(HEAD)
    columns = {
        "attack": name_of,
        "what malicious clients do": summary,
        "knows, besides its own": knows,
        "changes": changes,
        "keeps": keeps,
    }
    if has_costs:
        costs = measured("attacks")
        print(COSTS.format(**costs))
        columns["time, ms"] = lambda kind: time_of(kind, costs)
    print()
    shown = [kind for kind in classes(Attack) if kind not in (AttackGroups, NoAttack, Worst)]
    for family, title in FAMILIES.items():
        kinds = [kind for kind in shown if family_of(kind) == family]
        if kinds:
            table(title, kinds, {**columns, "paper": paper})
    print(TAIL)
    for family, members in SETS.items():
        for label, member in members.items():
            given = ", ".join(f"{name}={value}" for name, value in member.settings.items())
            print(f"| {family} | {label}: `{member.kind.__name__}({given})` | {member.why} |")
    print()
    told(shown)


def family_of(kind: type[Attack]) -> str:
    """The package of an attack; "attacks" for a file that lies beside the packages."""
    *_, package, _ = kind.__module__.split(".")
    return package


def code_of(kind: type[Attack]) -> str:
    """The code of an attack, without that which all attacks have and without docstrings."""
    own = [base for base in kind.__mro__ if issubclass(base, Attack) and base is not Attack]
    methods = [value for base in own for value in vars(base).values() if inspect.isfunction(value)]
    return "\n".join(inspect.getsource(method).replace(method.__doc__ or "\n", "\n") for method in methods)


def knows(kind: type[Attack]) -> str:
    """What an attack uses besides its own data, its own updates and the model that it trains."""
    code = code_of(kind)
    given = {
        "benign updates": kind.uses_knowledge or "self.uses_knowledge" in code,
        "the rule": "round.rule" in code,
        "the root update": kind.needs_root_update is True,
        "earlier global models": "global model" in keeps(kind),
    }
    return ", ".join(name for name, does in given.items() if does)


def keeps(kind: type[Attack]) -> str:
    """What an attack remembers from round to round, as it counts it."""
    is_own = kind.numbers_kept is not Attack.numbers_kept
    return plain(kind.numbers_kept.__doc__ or "").removesuffix(".") if is_own else ""


def changes(kind: type[Attack]) -> str:
    """Which hooks an attack fills in."""
    hooks = {"data": "poison", "training": "train", "updates": "craft"}
    return ", ".join(what for what, name in hooks.items() if getattr(kind, name) is not getattr(Attack, name))


def time_of(kind: type[Attack], costs: dict[str, Any]) -> str:
    """Milliseconds that an attack takes to craft a round's updates."""
    names = [name for name in costs["costs"] if name == kind.__name__ or name.startswith(f"{kind.__name__}(")]
    return f"{1000 * costs['costs'][names[0]]['seconds']:.1f}" if names else ""


if __name__ == "__main__":
    main()
