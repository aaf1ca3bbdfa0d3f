"""That the rule that runs is the rule named, and what every rule must satisfy in a run."""

import re
from typing import get_args

import pytest
import torch
from catalogue import ATTACKS, RULES
from lightning.pytorch import seed_everything
from tiny import Recorder, parameters_of, start_of

import callbacks as offers
from callbacks import FedAvg, FLTrust, Krum, NoAttack, TrimmedMean
from callbacks.aggregation.fltrust import Variant
from flt.errors import InputError
from flt.federation import Aggregation, Attack, FederatedCallback


class Diverse(FederatedCallback):
    """Makes one client send the opposite and one ten times its update: else some rules would agree."""

    def on_client_updates(self, round):
        factors = torch.ones(len(round.updates), 1)
        factors[2], factors[5] = -1.0, 10.0
        return round.replace(updates=factors * round.updates)


def test_the_tables_hold_every_rule_and_attack():
    made = {type(row.make()) for row in (*RULES, *ATTACKS)}
    offered = {getattr(offers, name) for name in offers.__all__}
    assert made == {kind for kind in offered if issubclass(kind, (Aggregation, Attack))}


@pytest.mark.parametrize("clients_per_round", [None, 7])
def test_a_round_is_the_references(fit, rule, clients_per_round):
    recorder = Recorder(needs_root_update=True)
    server = fit(
        rule.make(), NoAttack(fraction=0.2), Diverse(), recorder, rounds=2, clients_per_round=clients_per_round
    )
    expected_malicious = 2 if clients_per_round is None else 1  # 1.4
    start = start_of()
    given = [
        (*(each.double().numpy() for each in (r.updates, r.root_update, r.num_examples)), r.client_ids.numpy())
        for r, _ in recorder.ended
    ]
    aggregates = map(torch.tensor, rule.in_rounds(given, expected_malicious))
    for (_, aggregate), after, expected in zip(recorder.ended, recorder.parameters, aggregates, strict=True):
        torch.testing.assert_close(aggregate.update.double(), expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(after.double(), start.double() + expected, rtol=1e-5, atol=1e-5)
        start = after
    assert server.rule.label == rule.name


def test_rules_survive_attacks(fit, pair):
    rule, attack = pair
    recorder = Recorder()
    server = fit(rule.make(), attack.make(), recorder, rounds=3)
    assert parameters_of(server).isfinite().all()
    assert len({tuple(parameters.tolist()) for parameters in recorder.parameters}) == 3
    assert recorder.ended[-1][0].num_dropped == 0


def test_rules_take_what_they_get(fit, rule):
    """None changes the round it sees."""
    recorder = Recorder(needs_root_update=True)
    fit(rule.make(), recorder, rounds=2)
    for (seen, _), received in zip(recorder.ended, recorder.received, strict=True):
        assert torch.equal(seen.updates, received.updates)
        assert torch.equal(seen.root_update, received.root_update)


def test_own_numbers_win_over_the_attacks(fit):
    recorder = Recorder()
    fit(TrimmedMean(trim=4), NoAttack(), recorder, rounds=1)
    ordered = recorder.received[0].updates.sort(dim=0).values
    torch.testing.assert_close(recorder.ended[0][1].update, ordered[4:6].mean(dim=0))
    server = fit(Krum(num_byzantine=0), NoAttack(), rounds=1)
    assert server.rule.describe(server.federation) == "Krum, num_byzantine 0"


@pytest.mark.parametrize("variant", get_args(Variant))
def test_a_variant_is_a_name_of_settings(variant):
    name = "FLTrust" if variant == "FLTrust" else f"FLTrust-{variant}"
    (row,) = (rule for rule in RULES if rule.name == name)
    assert vars(FLTrust(variant=variant)) == vars(row.make())


def test_an_unknown_variant_is_refused():
    message = "aggregation.variant='Fast': choose one of FLTrust, Server, withServer, NoReLU, NoNorm, ParNorm"
    with pytest.raises(InputError, match=re.escape(message)):
        FLTrust(variant="Fast")


def test_runs_differ_by_seed_everything(fit):
    results = []
    for seed in (3, 4, 3):
        seed_everything(seed, verbose=False)
        results.append(parameters_of(fit(FedAvg(), rounds=1)))
    assert torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[1])
