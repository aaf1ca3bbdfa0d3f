"""That an attack which asks the rule in a run is told what happens."""

import pytest
import torch
from tiny import Recorder, parameters_of
from torch.testing import assert_close

from callbacks import ARC, NNM, FedAvg, FLTrust, Krum, Median, MultiKrum, NoAttack, OptimizedALIE, TailoredAttack
from flt.federation import Attack
from flt.functional import Gram
from flt.functional.attacks.tailored.copies import Copies

RULES = [FedAvg, FLTrust, Krum, Median, MultiKrum, lambda: NNM(Krum()), lambda: ARC(NNM(Median()))]


class Asking(Attack):
    """Asks the rule in both ways, and notes the two answers."""

    def __init__(self, **settings):
        super().__init__(0.3, **settings)
        self.answers = []

    def craft(self, round):
        axes = torch.stack([round.updates.double().mean(dim=0), round.updates.double().std(dim=0)])
        copies = Copies(round.rule, round.updates, round.malicious, axes, knowledge=self.knowledge)
        for factors in ((1.0, 0.0), (1.0, -2.0), (-100.0, 30.0)):
            answer = copies.answer(*factors)
            self.answers.append((answer, round.rule(copies.imagined.clone())))


@pytest.mark.filterwarnings("ignore:model.num_byzantine=3 has no effect")  # some rules assume none
@pytest.mark.parametrize("make", RULES)
def test_answers_do_not_depend_on_how_the_rule_is_asked(fit, make):
    asking = Asking()
    asked = fit(make(), asking, rounds=2)
    assert len(asking.answers) == 6
    for answer, other in asking.answers:
        assert_close(answer, other, rtol=1e-4, atol=1e-6)
        assert answer.any()
    assert torch.equal(parameters_of(asked), parameters_of(fit(make(), NoAttack(), rounds=2, num_byzantine=3)))


def test_a_rule_of_inner_products_reads_the_updates_once_a_round(fit, monkeypatch):
    """The first round asks 32 times, and then the rule itself is asked."""
    read, of = [], Gram.of

    def counted(updates):
        read.append(len(updates))
        return of(updates)

    monkeypatch.setattr(Gram, "of", counted)
    fit(MultiKrum(), OptimizedALIE(fraction=0.3), rounds=1)
    assert read == [7 + 2, 10]  # the benign updates with mean and deviation; what was sent


def test_what_another_callback_makes_of_the_updates_is_looked_at(fit):
    """Of known rows the server skips its search for NaNs; not of what became of them."""

    class Spoiling(Recorder):
        def on_updates_received(self, round):
            super().on_updates_received(round)
            updates = round.updates.clone()
            updates[0, 0] = torch.nan
            return round.replace(updates=updates)

    spoiling, asking = Spoiling(), Asking()
    with pytest.warns(UserWarning, match="were dropped"):
        fit(Median(), asking, spoiling, rounds=1)
    assert all(answer.isfinite().all() for answer, _ in asking.answers)


def test_krum_picks_what_is_tailored_to_it_in_a_run(fit):
    recorder = Recorder()
    fit(Krum(), TailoredAttack(fraction=0.3), recorder, rounds=3)
    for round, aggregate in recorder.ended:
        assert torch.equal(aggregate.update, round.updates[round.malicious][0])
