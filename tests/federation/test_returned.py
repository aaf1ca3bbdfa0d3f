"""What plug-ins return by mistake: one line that names the class, and what it should return."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import Recorder

from callbacks import FedAvg, Median
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Attack, ClientWeights, Coordinatewise, FederatedCallback, Judgement

UPDATES = {
    "malicious rows only": (lambda u, m: u[m], r"all rows, not the 3 malicious ones alone"),
    "float64": (lambda u, m: u.double(), r"a float64 tensor of shape \[10, 83\]"),
    "NumPy": (lambda u, m: u.numpy(), r"a numpy\.ndarray of shape \[10, 83\]"),
    "list": (lambda u, m: u.tolist(), "a list"),
    "empty": (lambda u, m: u[:0], r"of shape \[0, 83\]"),
    "sparse": (lambda u, m: u.to_sparse(), "a sparse_coo float32 tensor"),
    "too few": (lambda u, m: u[:-1], r"of shape \[9, 83\]"),
    "other columns": (lambda u, m: u[:, 1:], r"of shape \[10, 82\]"),
    "with a gradient": (lambda u, m: u.clone().requires_grad_(), "that requires a gradient"),
    "all rows flipped": (lambda u, m: -u, "changed the updates of 7 of 7 benign clients in round 0"),
}


@pytest.mark.parametrize("name", UPDATES)
def test_an_attack_that_crafts(fit, name):
    make, message = UPDATES[name]

    class Wrong(Attack):
        def craft(self, round):
            return make(round.updates, round.malicious)

    with pytest.raises(InputError, match=rf"^Wrong\.(craft|on_client_updates) .*{message}"):
        fit(Median(), Wrong(0.3), rounds=1)


@pytest.mark.parametrize(
    ("hook", "name"),
    [("on_client_updates", "too few"), ("on_updates_received", "float64"), ("on_updates_received", "list")],
)
def test_a_hook_whose_round_holds_other_rows(fit, hook, name):
    make, message = UPDATES[name]

    class Wrong(FederatedCallback):
        pass

    setattr(Wrong, hook, lambda self, round: round.replace(updates=make(round.updates, round.malicious)))
    with pytest.raises(InputError, match=rf"^Wrong\.{hook} returned .*{message}.* as updates in round 0"):
        fit(FedAvg(), Wrong(), rounds=1)


ROUNDS = {
    "updates": (lambda r: r.updates, r"a float32 tensor of shape \[10, 83\].*: return round\.replace"),
    "True": (lambda r: True, "returned a bool in round 0: return round.replace"),
    "fewer clients": (lambda r: r.keep(r.client_ids > 3), "returned a round of 6 clients for one of 10"),
    "twice the clients": (lambda r: type(r).joined([r, r]), "returned a round of 20 clients for one of 10"),
    "losses": (lambda r: r.replace(losses=r.losses.tolist()), "returned a list as losses in round 0"),
    "client_ids": (
        lambda r: r.replace(malicious=r.malicious.float()),
        r"a float32 .* as malicious",
    ),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_a_hook_that_returns_another_round(fit, name):
    make, message = ROUNDS[name]

    class Wrong(FederatedCallback):
        def on_client_updates(self, round):
            return make(round)

    with pytest.raises(InputError, match=rf"^Wrong\.on_client_updates .*{message}"):
        fit(FedAvg(), Wrong(), rounds=1)


AGGREGATES = {
    "a tensor": (lambda r: r.updates[0], r"a float32 tensor of shape \[83\]: return Aggregate\(update\)"),
    "a row too many": (lambda r: Aggregate(r.updates[:1]), r"a float32 tensor of shape \[1, 83\] as update"),
    "too short": (lambda r: Aggregate(r.updates[0, 1:]), r"of shape \[82\] as update.*of shape \[83\]"),
    "float64": (lambda r: Aggregate(r.updates[0].double()), "a float64 tensor .* as update"),
    "NumPy": (lambda r: Aggregate(np.zeros(83)), r"a numpy\.ndarray of shape \[83\] as update"),
    "statistics": (lambda r: Aggregate(r.updates[0], 3.0), "a float as statistics"),
    "judgement": (
        lambda r: Aggregate(r.updates[0], judgement={}),
        "a dict as judgement: give a",
    ),
    "weights": (
        lambda r: Aggregate(r.updates[0], judgement=Judgement(weights=torch.ones(4))),
        r"shape \[4\] as the judgement's weights: give a tensor of shape \[10\]",
    ),
    "NaN": (
        lambda r: Aggregate(r.updates[0], judgement=Judgement(trust_scores=torch.full((10,), torch.nan))),
        "a NaN in the judgement's trust_scores",
    ),
}


WEIGHTS = {
    "one too few": (lambda r: torch.ones(len(r) - 1), r"a float32 tensor of shape \[9\] in round 0.* of shape \[10\]"),
    "a column": (lambda r: torch.ones(len(r), 1), r"of shape \[10, 1\]"),
    "a list": (lambda r: [1.0] * len(r), "a list"),
    "nothing": (lambda r: None, "a NoneType"),
}


SHAPES = {"aggregate": (Aggregation, AGGREGATES), "weigh": (ClientWeights, WEIGHTS)}


@pytest.mark.parametrize(
    ("method", "name"), [(method, name) for method, (_, found) in SHAPES.items() for name in found]
)
def test_a_rule_that_returns_something_else(fit, method, name):
    kind, mistakes = SHAPES[method]
    make, message = mistakes[name]
    wrong = type("Wrong", (kind,), {method: lambda self, round: make(round)})
    with pytest.raises(InputError, match=rf"^Wrong\.{method} returned .*{message}"):
        fit(wrong(), rounds=1)


def test_weights_that_are_no_numbers(fit):
    class Wrong(ClientWeights):
        def weigh(self, round):
            return torch.full((len(round),), torch.nan)

    with pytest.warns(UserWarning, match="no usable aggregate .*what the rule made of them"):
        fit(Wrong(), rounds=1)


POISONS = {
    "labels": (lambda c: c.labels, r"an int64 tensor of shape \[\d+\]: return flt\.data\.ClientData"),
    "out of range": (lambda c: replace(c, labels=c.labels + 2), "labels from 2 to 4: the classes are 0 to 2"),
    "float labels": (lambda c: replace(c, labels=c.labels.float()), "a float32 tensor .* as labels"),
    "other examples": (lambda c: replace(c, features=c.features[:, 1:]), "as features"),
    "fewer clients": (lambda c: replace(c, offsets=c.offsets[[0, -1]]), "the data of 1 clients, there are 10"),
}


@pytest.mark.parametrize("name", POISONS)
def test_an_attack_that_poisons(fit, name):
    make, message = POISONS[name]

    class Wrong(Attack):
        def poison(self, federation):
            return make(federation.clients)

    with pytest.raises(InputError, match=rf"^Wrong\.poison returned .*({message})"):
        fit(FedAvg(), Wrong(0.2), rounds=1)


BACKDOORS = {
    "a trigger": (lambda b: b.trigger, r"returned a .*FeatureTrigger: return flt\.federation\.Backdoor"),
    "target": (lambda b: replace(b, target_class=3), r"attack\.target_class=3 must be one of 0 to 2"),
    "shape": (lambda b: replace(b, trigger=lambda x: x[:, 1:]), r"a float32 tensor of shape \[2, 11\]"),
    "dtype": (lambda b: replace(b, trigger=lambda x: x.double()), "a float64 tensor"),
}


@pytest.mark.parametrize("name", BACKDOORS)
def test_an_attack_s_backdoor(fit, name):
    make, message = BACKDOORS[name]

    class Wrong(Attack):
        def backdoor(self, default):
            return make(default)

    with pytest.raises(InputError, match=message):
        fit(FedAvg(), Wrong(0.2), rounds=1)


def test_an_attack_that_forgets_its_base(fit):
    class Wrong(Attack):
        def __init__(self):
            self.strength = 2

    with pytest.raises(InputError, match=r"let Wrong\.__init__ call super\(\).__init__\(fraction\)"):
        fit(FedAvg(), Wrong(), rounds=1)


def test_a_federation_is_returned_as_one(fit):
    class Wrong(FederatedCallback):
        def on_federation(self, federation):
            return federation.clients

    with pytest.raises(InputError, match=r"Wrong\.on_federation returned a flt\.data\.examples\.ClientData"):
        fit(Median(), Wrong(), Wrong(), rounds=1)


def clamped(self, round):
    round.updates.clamp_(-1e-3, 1e-3)


def zeroed(self, round):
    round.losses.zero_()


IN_PLACE = {
    "a hook": (FederatedCallback, "on_updates_received", clamped),
    "an attack": (Attack, "craft", lambda self, round: round.updates.neg_()),
    "a rule": (Aggregation, "aggregate", lambda self, round: Aggregate(round.updates.mul_(2).mean(dim=0))),
    "losses": (FederatedCallback, "on_client_updates", zeroed),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_plug_in_that_changes_the_round_in_place(fit, name):
    kind, hook, change = IN_PLACE[name]
    wrong = type("Wrong", (kind,), {hook: change})(*([0.3] if kind is Attack else []))
    others = [] if kind is Aggregation else [Median()]
    with pytest.raises(InputError, match=r"^Wrong\.\w+ changed the updates of round 0 in place.*clone"):
        fit(*others, wrong, rounds=1)


def test_a_rule_that_changes_in_place_what_an_attack_asks_it_for(fit):
    class Asking(Attack):
        def craft(self, round):
            round.rule(round.updates)

    class Wrong(Aggregation):
        def aggregate(self, round):
            return Aggregate(round.updates.mul_(2).mean(dim=0))

    with pytest.raises(InputError, match=r"^Wrong\.aggregate changed the updates of round 0 in place"):
        fit(Wrong(), Asking(0.3), rounds=1)


def test_an_attack_that_poisons_in_place(fit):
    class Wrong(Attack):
        def poison(self, federation):
            federation.clients.labels.zero_()
            return federation.clients

    with pytest.raises(InputError, match=r"^Wrong\.poison changed the clients' data in place"):
        fit(FedAvg(), Wrong(0.3), rounds=1)


def test_benign_rows_are_looked_at_in_the_first_round_with_attackers(fit):
    class Wrong(Attack):
        def craft(self, round):
            return -round.updates if round.malicious.any() else None

    with pytest.raises(InputError, match=r"^Wrong\.on_client_updates changed the updates of 7 .* in round 2"):
        fit(Median(), Wrong(0.3, start_round=2), rounds=4)


def test_who_stays_is_a_mask(fit):
    class Wrong(FederatedCallback):
        def on_updates_received(self, round):
            return round.keep((round.losses < 1e9).long())

    with pytest.raises(InputError, match=r"round\.keep was given a tensor of int64 of shape \[10\]: give a mask"):
        fit(Median(), Wrong(), rounds=1)


def test_columns_are_never_none(fit):
    class Quantile(Coordinatewise):
        def columns(self, values, round):
            return values.quantile(0.5, dim=0)

    fit(Quantile(), rounds=1)


def test_a_streaming_rule_whose_aggregate_nobody_would_call():
    with pytest.raises(TypeError, match="Wrong overrides aggregate of a Streaming rule: override fold and finish"):

        class Wrong(FedAvg):
            def aggregate(self, round):
                return Aggregate(round.updates[0])


@pytest.mark.parametrize("factor", [1e-60, 1e60])
def test_weights_of_any_length(fit, factor):
    """They are brought to float32's range before updates are multiplied."""

    class Mean(ClientWeights):
        def weigh(self, round):
            return factor * torch.arange(1, len(round) + 1, dtype=torch.float64)

    recorder = Recorder()
    fit(Mean(), recorder, rounds=1)
    [(round, aggregate)] = recorder.ended
    shares = torch.arange(1, 11).double() / 55
    torch.testing.assert_close(aggregate.update.double(), shares @ round.updates.double(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(aggregate.judgement.weights, shares)


@pytest.mark.parametrize("num_chosen", [0, 4])
def test_a_mask_is_a_weight(fit, num_chosen):
    class Mean(ClientWeights):
        def weigh(self, round):
            return round.client_ids < num_chosen

    recorder = Recorder()
    fit(Mean(), recorder, rounds=1)
    [(round, aggregate)] = recorder.ended
    mean = round.updates[:num_chosen].mean(dim=0) if num_chosen else torch.zeros(83)
    torch.testing.assert_close(aggregate.update, mean)
    assert aggregate.judgement.weights.mean() == (0.1 if num_chosen else 0)


def test_the_mean_of_huge_updates_that_a_mask_has_chosen(fit):
    class Mean(ClientWeights):
        def weigh(self, round):
            return torch.ones(len(round))

    class Huge(FederatedCallback):
        def on_client_updates(self, round):
            return round.replace(updates=torch.full_like(round.updates, 1e38))

    recorder = Recorder()
    fit(Mean(), Huge(), recorder, rounds=1)
    torch.testing.assert_close(recorder.ended[0][1].update, torch.full((83,), 1e38))
