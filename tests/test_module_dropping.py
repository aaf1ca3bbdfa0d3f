"""Updates that cannot be used."""

import re
import warnings
from contextlib import nullcontext

import pytest
import torch
from catalogue import RULES
from tiny import Recorder, Sending, TinyData, parameters_of, start_of

from callbacks import FedAvg, FLTrust
from flt.federation import FederatedCallback

pytestmark = pytest.mark.filterwarnings("ignore:model.num_byzantine=.* has no effect:UserWarning")  # not all rules ask

# A mean, a choice that needs some clients, and a mean that the server's own update is in: all that this depends on.
BY_NAME = {rule.name: rule for rule in RULES}
KRUM = BY_NAME["Krum"]
some_rules = pytest.mark.parametrize(
    "rule", [BY_NAME["FedAvg"], KRUM, BY_NAME["FLTrust-withServer"]], ids=lambda rule: rule.name
)
UNUSABLE = "a round had no usable aggregate .*: model unchanged"
DROPPED = "updates with a NaN or an infinity were dropped"


class Root(FederatedCallback):
    """Makes the server's own update, and if asked the clients', something else."""

    def __init__(self, change, clients=None):
        self.change, self.clients = change, clients

    def on_client_updates(self, round):
        root = self.change(round.root_update)
        return round.replace(
            root_update=root, updates=round.updates if self.clients is None else self.clients(round.updates, root)
        )


@some_rules
def test_updates_that_are_not_finite_are_dropped(fit, rule):
    """What the rule makes of the others, expecting as many malicious clients as before, is the reference's result."""
    recorder, sent = Recorder(needs_root_update=True), Sending(float("nan"), clients=(0, 3))
    with pytest.warns(UserWarning, match=DROPPED):
        fit(rule.make(), sent, recorder, rounds=2, num_byzantine=3)
    start = start_of()
    for (round, _), after in zip(recorder.ended, recorder.parameters, strict=True):
        assert round.num_dropped == 2
        assert round.client_ids.tolist() == [1, 2, 4, 5, 6, 7, 8, 9]
        inputs = (round.updates, round.root_update, round.num_examples)
        expected = rule.reference(*(tensor.double().numpy() for tensor in inputs), 3)
        torch.testing.assert_close(after.double(), start.double() + torch.tensor(expected), rtol=1e-5, atol=1e-5)
        start = after


@pytest.mark.parametrize(
    ("rule", "left"), [(BY_NAME["FedAvg"], 1), (KRUM, 1), (KRUM, 4)], ids=["mean", "Krum", "Krum of four"]
)
def test_few_updates_left(fit, rule, left):
    told = f"a round has {left} usable updates, too few for num_byzantine=3"
    with pytest.warns(UserWarning, match=DROPPED), pytest.warns(match=told) if rule is KRUM else nullcontext():
        server = fit(rule.make(), Sending(float("nan"), tuple(range(left, 10))), num_byzantine=3)
    assert parameters_of(server).isfinite().all()
    assert not torch.equal(parameters_of(server), start_of())


@some_rules
def test_no_update_left(fit, rule):
    recorder = Recorder()
    callbacks = (rule.make(), Sending(float("nan"), tuple(range(10))), recorder)
    if rule.keeps_root:  # whose own update is still there
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", DROPPED, UserWarning)
            fit(*callbacks)
        for round, aggregate in recorder.ended:
            torch.testing.assert_close(aggregate.update, round.root_update)
            assert aggregate.update.any()
    else:
        with pytest.warns(UserWarning, match=UNUSABLE), pytest.warns(UserWarning, match=DROPPED):
            server = fit(*callbacks)
        assert torch.equal(parameters_of(server), start_of())
        assert not recorder.ended[0][1].update.any()
    assert [round.num_dropped for round, _ in recorder.ended] == [10, 10, 10]


@some_rules
def test_a_root_update_that_is_not_finite(fit, rule):
    callbacks = (rule.make(), Root(lambda root: root * float("nan")), Recorder(needs_root_update=True))
    if callbacks[0].needs_root_update:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            server = fit(*callbacks)
        assert torch.equal(parameters_of(server), start_of())
        messages = {str(warning.message) for warning in warned if warning.category is UserWarning}
        assert len(messages) == 1, messages  # naming the cause, and no other
        assert re.match(UNUSABLE, messages.pop())
    else:
        assert not torch.equal(parameters_of(fit(*callbacks)), start_of())


@pytest.mark.filterwarnings("ignore:FLTrust. every trust score was 0:UserWarning")
@pytest.mark.parametrize("variant", ["NoNorm", "withServer"])
def test_a_root_update_of_zero(fit, variant):
    with pytest.warns(UserWarning, match="FLTrust: the root update was zero in a round, and so is its aggregate"):
        server = fit(FLTrust(variant=variant), Root(torch.zeros_like))
    assert torch.equal(parameters_of(server), start_of())


@pytest.mark.parametrize("variant", ["FLTrust", "NoNorm"])
def test_nobody_is_trusted(fit, variant):
    opposite = Root(lambda root: root, clients=lambda updates, root: -root.expand_as(updates))
    recorder = Recorder()
    with pytest.warns(UserWarning, match="FLTrust: every trust score was 0 in a round; no client takes part"):
        server = fit(FLTrust(variant=variant), opposite, recorder)
    assert torch.equal(parameters_of(server), start_of())
    judgement = recorder.ended[0][1].judgement
    assert judgement.trust_scores.tolist() == judgement.weights.tolist() == [0] * 10


def test_a_client_whose_data_hold_a_nan_spoils_its_own_update_only(fit):
    """Though the others' padding repeats the first example of all."""

    class Poisoned(TinyData):
        def setup(self, stage=None):
            super().setup(stage)
            self.clients.features[0] = float("nan")

    recorder = Recorder()
    with pytest.warns(UserWarning, match=DROPPED):
        fit(FedAvg(), recorder, data=Poisoned(batch_size=30), rounds=1)
    assert recorder.ended[0][0].client_ids.tolist() == list(range(1, 10))
