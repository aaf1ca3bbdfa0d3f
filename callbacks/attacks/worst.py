"""The worst of several attacks: a fixed set for each family, one run for each member."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from callbacks.attacks.adaptive import AdaptiveAttack
from callbacks.attacks.backdoors import DBA, CriticalLayers, EdgeCase, Neurotoxin, ProjectedBackdoor
from callbacks.attacks.blind import SignFlip
from callbacks.attacks.label_flipping import LabelFlipping
from callbacks.attacks.omniscient import ALIE, IPM, MinMax
from callbacks.attacks.scaling import ScalingAttack
from callbacks.attacks.tailored import OptimizedIPM, TailoredAttack
from callbacks.attacks.trim import TrimAttack
from flt.errors import InputError, check_choice, check_count
from flt.federation import Attack, Federation

Family = Literal["updates", "backdoors"]


class Member(NamedTuple):
    """One attack of a set: its class, settings of its own, and which mechanism it stands for."""

    kind: type[Attack]
    settings: Mapping[str, Any]
    why: str


SETS: dict[Family, dict[str, Member]] = {
    "updates": {
        "Label flipping": Member(LabelFlipping, {}, "honest training on wrong labels, with nothing to be seen"),
        "Sign flip": Member(SignFlip, {}, "the plain opposite, for which nothing needs to be known"),
        "ALIE": Member(ALIE, {}, "a shift that hides within the spread of the benign updates"),
        "IPM": Member(IPM, {}, "a short step back, against rules that keep what is near the middle"),
        "Min-Max": Member(MinMax, {}, "as far off as rules that look at distances have to let pass"),
        "Trim attack": Member(TrimAttack, {}, "the wrong end of every coordinate, against rules that look at each"),
        "Optimised IPM": Member(OptimizedIPM, {}, "backwards by as much as the rule in force takes worst"),
        "Tailored attack": Member(TailoredAttack, {}, "off the mean by as much as the rule in force takes worst"),
        "Adaptive, exact": Member(AdaptiveAttack, {"solver": "exact"}, "against rules that trust a root dataset"),
    },
    "backdoors": {
        "Scaling attack": Member(ScalingAttack, {}, "an update as long as it takes to replace the model"),
        "Projected backdoor": Member(ProjectedBackdoor, {}, "an update that is no longer than honest ones"),
        "Distributed backdoor": Member(DBA, {}, "a trigger of which every client holds a part alone"),
        "Edge cases": Member(EdgeCase, {}, "rare examples as they are, with no pattern to be found"),
        "Neurotoxin": Member(Neurotoxin, {}, "coordinates that benign clients hardly move"),
        "Critical layers": Member(CriticalLayers, {}, "honest training in all layers but those that count"),
    },
}
"""The members of each set by their labels; each stands for a mechanism that no other one has."""


class Worst(Attack):
    """A fixed set of attacks, of which the strongest counts: each makes a run of its own, side by side in one table.

    ``flt fit --attack Worst`` runs each of them with the same settings and reports the worst and the runner-up. In an
    axis of ``flt table``, ``{attack: Worst}`` stands for all of them. The members have their defaults, so that the set
    has no parameters; ``fraction``, ``knowledge`` and the schedule hold for every member, but that the adaptive attack
    has full knowledge, without which it cannot be made. The idea is AutoAttack's.

    Args:
        family: "updates" are attacks on the testing error, "backdoors" those whose success is measured on a trigger.
        jobs: Runs at a time of ``flt fit``; null is one.

    Raises:
        InputError: If an argument is out of range, or if it is used as an attack of a single run.

    Reference:
        Croce and Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free
        attacks, ICML 2020.
    """

    uses_knowledge = True

    def __init__(self, family: Family = "updates", jobs: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        check_choice("attack.family", family, Family)
        check_count("attack.jobs", jobs)
        self.family: Family = family
        self.jobs = jobs
        self.attacks = {label: member.kind(**own_settings(member, settings)) for label, member in SETS[family].items()}

    def on_federation(self, federation: Federation) -> Federation | None:
        """Refuses a single run."""
        raise InputError(
            f"attack=Worst stands for {len(self.attacks)} attacks, each with a run of its own: use flt fit --attack"
            " Worst, an axis {attack: Worst} of flt table or run_grid, or one of Worst().attacks.values()"
        )


def own_settings(member: Member, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a member, given those of the whole set.

    Full knowledge is left to those to whom it makes no difference, and to those who cannot do without.
    """
    own = {**settings, **member.settings}
    is_given = member.kind.uses_knowledge and member.kind.has_to_know is None
    return own | ({"knowledge": "full"} if "knowledge" in own and not is_given else {})


def is_worst(value: Any) -> bool:
    """Whether a value of the setting ``attack`` names `Worst`: by name, by import path, or as a ``class_path``.

    Example:
        >>> is_worst("Worst"), is_worst({"class_path": "callbacks.Worst"}), is_worst("my_attack.Worst")
        (True, True, False)
    """
    path = value.get("class_path") if isinstance(value, Mapping) else value
    return path in ("Worst", "callbacks.Worst", "callbacks.attacks.Worst", f"{Worst.__module__}.Worst")


def members_of(value: Any, further: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The members of the set that the setting ``attack`` names, each as a value of that setting by its label.

    Args:
        value: The setting.
        further: Settings of the attack that stand apart, as ``attack.fraction``, by their names.

    Returns:
        Empty where the setting names another attack.

    Raises:
        InputError: If there is no such family.
    """
    if not is_worst(value):
        return {}
    given = {**(value.get("init_args", {}) if isinstance(value, Mapping) else {}), **further}
    family = given.pop("family", "updates")
    given.pop("jobs", None)
    check_choice("attack.family", family, Family)
    return {
        label: {"class_path": f"callbacks.{member.kind.__name__}", "init_args": own_settings(member, given)}
        for label, member in SETS[family].items()
    }
