"""What plug-ins keep from round to round, and an attack that asks the rule."""

import gc
import warnings
import weakref

import pytest
import torch
from tiny import Recorder, Sending, parameters_of

from callbacks import NNM, FedAvg, Median, NoAttack
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Attack, ClientMemory, FederatedCallback, by_client
from flt.federation.memory import mapped, restored, saved


class Momentum(Aggregation):
    """Adds half of the last aggregate to the mean, and counts each client's rounds."""

    def aggregate(self, round):
        rows = ClientMemory.empty(round.federation.num_clients, round.updates[:, :1])
        counts = round.memory.get("counts", rows)
        update = round.updates.mean(dim=0) + 0.5 * round.memory.get("last", 0.0)
        counts = counts.updated(round.client_ids, counts.of(round.client_ids) + 1)
        return Aggregate(update, memory={"last": update, "counts": counts, "rounds": round.number + 1})


class Repeating(Attack):
    """Malicious clients send what they would have sent the round before."""

    def __init__(self):
        super().__init__(0.3)
        self.knew = []

    def craft(self, round):
        kept = round.memory.get("honest", ClientMemory.empty(round.federation.num_clients, round.updates))
        self.knew.append(int(kept.is_known.sum()))
        ids = round.client_ids
        crafted = torch.where(round.malicious[:, None], kept.of(ids), round.updates)
        return round.replace(updates=crafted, memory={"honest": kept.updated(ids, round.updates)})


class Smoothing(FederatedCallback):
    """Averages what the server receives with the mean of the round before."""

    def on_updates_received(self, round):
        mean = round.updates.mean(dim=0)
        return round.replace(updates=(round.updates + round.memory.get("mean", mean)) / 2, memory={"mean": mean})


@pytest.mark.parametrize("clients_per_round", [None, 6])
def test_a_rule_s_memory_reaches_the_next_round(fit, clients_per_round):
    recorder = Recorder()
    fit(Momentum(), NoAttack(), recorder, rounds=4, clients_per_round=clients_per_round)
    last, counts = torch.zeros(1), torch.zeros(10)
    for round, aggregate in recorder.ended:
        last = round.updates.mean(dim=0) + 0.5 * last
        counts[round.client_ids] += 1
        torch.testing.assert_close(aggregate.update, last)
        assert aggregate.memory["counts"].rows.flatten().tolist() == counts.tolist()
        assert aggregate.memory["counts"].is_known.tolist() == (counts > 0).tolist()


def test_memories_of_all_kinds_survive_a_checkpoint(fit, tmp_path):
    settings = {"clients_per_round": 6}
    make = lambda: (Momentum(), Repeating(), Smoothing(), Smoothing())  # noqa: E731
    whole = parameters_of(fit(*make(), rounds=6, **settings))
    first = fit(*make(), rounds=3, **settings)
    path = tmp_path / "stopped.ckpt"
    first.trainer.save_checkpoint(path)
    kept = torch.load(path, weights_only=True)["flt_memory"]
    assert set(kept) == {"Momentum", "Repeating", "Smoothing", "Smoothing#2"}
    resumed = fit(*make(), rounds=6, ckpt_path=path, **settings)
    assert torch.equal(parameters_of(resumed), whole)
    assert not torch.equal(parameters_of(first), whole)


def test_an_inner_rule_keeps_its_memory(fit):
    recorder = Recorder()
    fit(NNM(Momentum(), 2), NoAttack(), recorder, rounds=3)
    assert [aggregate.memory["rule"]["rounds"] for _, aggregate in recorder.ended] == [1, 2, 3]


class Asking(Attack):
    """Notes what the rule would make of things."""

    def __init__(self):
        super().__init__(0.2)
        self.answers = []

    def craft(self, round):
        given, twice = round.rule(round.updates), round.rule(2 * round.updates)
        spoiled = round.updates.clone()
        spoiled[0] = torch.nan
        self.answers.append((given, twice, round.rule(spoiled), round.rule(torch.full_like(spoiled, torch.nan))))


@pytest.mark.parametrize("make", [Momentum, lambda: NNM(Median(), 2)])
def test_what_an_attack_is_told_is_what_happens_and_leaves_no_trace(fit, make):
    asking, recorder = Asking(), Recorder()
    told = fit(make(), asking, Smoothing(), recorder, rounds=3)
    untold = fit(make(), NoAttack(), Smoothing(), rounds=3)
    assert torch.equal(parameters_of(told), parameters_of(untold))
    for (given, twice, spoiled, nothing), (_, aggregate) in zip(asking.answers, recorder.ended, strict=True):
        assert torch.equal(given, aggregate.update)
        assert not torch.equal(twice, given)
        assert spoiled.isfinite().all()
        assert not torch.equal(spoiled, given)
        assert not nothing.any()


def test_a_hook_by_client_keeps_nothing(fit):
    class Wrong(FederatedCallback):
        @by_client
        def on_client_updates(self, round):
            return round.replace(memory={"number": round.number})

    with pytest.raises(InputError, match=r"Wrong\.on_client_updates is marked by_client and keeps a memory"):
        fit(FedAvg(), Wrong(), rounds=1)


@pytest.mark.parametrize("content", [{3: 1.0}, {"a": [lambda: None]}])
def test_what_a_memory_cannot_hold(fit, content):
    class Wrong(Momentum):
        def aggregate(self, round):
            return Aggregate(round.updates.mean(dim=0), memory=content)

    with pytest.raises(InputError, match=r"Wrong: a memory (holds|has)"):
        fit(Wrong(), rounds=1)


def test_a_memory_as_plain_values_and_back():
    rows = ClientMemory.empty(4, torch.zeros(1, 2)).updated(torch.tensor([1, 3]), torch.ones(2, 2))
    memory = {"rows": rows, "list": [1, 2.5, None, "text", torch.ones(2)], "inner": {"flag": True}}
    back = restored(saved(memory), "cpu")
    assert torch.equal(back["rows"].rows, rows.rows)
    assert back["rows"].is_known.tolist() == [False, True, False, True]
    assert back["list"][:4] == memory["list"][:4]
    assert back["inner"] == {"flag": True}
    doubled = mapped(memory, lambda tensor: 2 * tensor)
    assert doubled["rows"].rows[1].tolist() == [2, 2]
    assert rows.rows[1].tolist() == [1, 1]


class Keeping(Aggregation):
    """The mean; keeps one client's update."""

    def aggregate(self, round):
        return Aggregate(round.updates.mean(dim=0), memory={"first": round.updates[0]})


def test_a_memory_keeps_no_round_alive(fit):
    """Of a view of one row, the row alone is kept."""
    recorder = Recorder()
    module = fit(Keeping(), NoAttack(), recorder, rounds=1)
    first = module._reception.memories.state()["Keeping"]["first"]
    assert torch.equal(first, recorder.ended[0][0].updates[0])
    assert first.untyped_storage().nbytes() == first.nbytes


def test_nothing_of_a_round_is_alive_in_the_next(fit):
    class Watching(FederatedCallback):
        def __init__(self):
            self.before = []

        def on_client_updates(self, round):
            assert all(reference() is None for reference in self.before)
            self.before = [weakref.ref(round), weakref.ref(round.updates), weakref.ref(round.losses)]

    watching = Watching()
    gc.disable()  # a cycle is a leak as well
    try:
        fit(NNM(Momentum()), Repeating(), watching, Smoothing(), rounds=3)
        fit(FedAvg(), Asking(), watching, rounds=3)
    finally:
        gc.enable()
    assert watching.before


@pytest.mark.parametrize("kept", [{}, {"number": 0}])
def test_a_memory_is_not_changed_in_place(fit, kept):
    class Wrong(FederatedCallback):
        def on_client_updates(self, round):
            if kept and not round.memory:
                return round.replace(memory=kept)
            round.memory["number"] = 1
            return None

    with pytest.raises(TypeError, match="does not support item assignment"):
        fit(FedAvg(), Wrong(), rounds=2)


def test_what_the_rule_is_asked_has_a_row_for_each_client(fit):
    class Wrong(Attack):
        def craft(self, round):
            return round.rule(round.updates[round.malicious])

    message = r"round\.rule was given a float32 tensor of shape \[2, 83\] in round 0: give it a row for each client"
    with pytest.raises(InputError, match=message):
        fit(Median(), Wrong(0.2), rounds=1)


@pytest.mark.parametrize("asks", [False, True])
def test_a_warning_comes_once_though_an_attack_asks_the_rule(fit, asks):
    """Every round one client sends a NaN; what is imagined warns of nothing."""

    class Silent(Attack):
        def craft(self, round):
            if asks:
                round.rule(torch.full_like(round.updates, torch.nan))

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        fit(Median(), Sending(float("nan"), (0,)), Silent(0.2), rounds=4)
    assert sum("were dropped" in str(each.message) for each in shown) == 1
    fit(Median(), Silent(0.2), rounds=2)  # without any, as a warning is an error here


class Hoarding(Momentum):
    """Says that it keeps so many numbers for each client and parameter."""

    def __init__(self, each):
        self.each = each

    def numbers_kept(self, federation, num_params):
        return self.each * federation.num_clients * num_params


@pytest.mark.parametrize("around", [lambda rule: rule, NNM])
def test_what_is_kept_is_known_before_the_first_round(fit, around):
    server = fit(around(Hoarding(2)), rounds=1)
    assert server.kept == {server.rule.label: 4 * 2 * 10 * len(parameters_of(server))}
    assert fit(around(Hoarding(0)), rounds=1).kept == {}
    with pytest.raises(InputError, match=r"aggregation=.*Hoarding.* keeps .* GB from round to round, .* in all: take"):
        fit(around(Hoarding(2**40)), rounds=1)
