"""The sets of attacks that `Worst` stands for."""

import inspect

import pytest
from tiny import TinyData

import callbacks
from callbacks import AdaptiveAttack, FedAvg, LabelFlipping, MinMax, ScalingAttack, TrimAttack, Worst
from callbacks.attacks.worst import SETS, is_worst, members_of
from flt.data import FeatureTrigger
from flt.errors import InputError
from flt.federation import Backdoor


@pytest.mark.parametrize("family", SETS)
def test_members_have_no_parameters_and_stand_for_something_of_their_own(family):
    members = SETS[family].values()
    assert len({(member.kind, *member.settings.items()) for member in members}) == len(members)
    assert len({member.why for member in members}) == len(members)
    for member in members:
        assert getattr(callbacks, member.kind.__name__) is member.kind
        needed = [own for own in inspect.signature(member.kind).parameters.values() if own.default is own.empty]
        assert [own for own in needed if own.kind is not own.VAR_KEYWORD] == []
        backdoor = member.kind(**member.settings).backdoor(Backdoor(FeatureTrigger(range(4)), target_class=0))
        assert (backdoor is not None) == (family == "backdoors")


def test_settings_of_the_set_hold_for_each_member():
    """What a member cannot know is no setting of it that would have no effect; one of them has to know everything."""
    made = Worst(fraction=0.4, knowledge="partial").attacks
    assert {attack.fraction for attack in made.values()} == {0.4}
    known = {type(attack): attack.knowledge for attack in made.values()}
    assert {known[kind] for kind in (MinMax, TrimAttack)} == {"partial"}
    assert known[LabelFlipping] == known[AdaptiveAttack] == "full"
    assert ScalingAttack in map(type, Worst("backdoors").attacks.values())


def test_it_is_no_attack_of_a_single_run(fit):
    with pytest.raises(InputError, match=r"attack=Worst stands for \d+ attacks.*flt fit --attack Worst.*flt table"):
        fit(FedAvg(), Worst(), data=TinyData())


def test_how_it_is_named():
    names = ["Worst", "callbacks.Worst", "callbacks.attacks.worst.Worst", "mine.Worst", "TrimAttack", None]
    assert [is_worst(name) for name in names] == [True, True, True, False, False, False]
    assert members_of("TrimAttack", {}) == {}
    whole = {"class_path": "Worst", "init_args": {"family": "backdoors", "jobs": 3, "fraction": 0.3}}
    members = members_of(whole, {"fraction": 0.4})
    assert members["Scaling attack"] == {"class_path": "callbacks.ScalingAttack", "init_args": {"fraction": 0.4}}
    assert members == members_of("Worst", {"family": "backdoors", "fraction": 0.4})
