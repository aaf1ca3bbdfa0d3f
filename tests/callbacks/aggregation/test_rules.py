"""That the rule that runs is the rule named, and what every rule must satisfy in a run."""

import copy
import re
from typing import get_args

import numpy as np
import pytest
import reference
import torch
from catalogue import ATTACKS, RULES
from tiny import NUM_CLASSES, Recorder, mlp, start_of
from torch import nn
from torch.testing import assert_close

import callbacks as offers
from callbacks import FLTrust, Krum, NoAttack, TrimmedMean
from callbacks.aggregation.fltrust import Variant
from flt.errors import InputError
from flt.federation import Aggregation, Attack, FederatedCallback
from flt.federation.round import BY_CLIENT


class Diverse(FederatedCallback):
    """Makes one client send the opposite and one ten times its update: else some rules would agree."""

    def on_client_updates(self, round):
        factors = torch.ones(len(round.updates), 1)
        factors[2], factors[5] = -1.0, 10.0
        return round.replace(updates=factors * round.updates)


def test_the_tables_hold_every_rule_and_attack():
    """But those that are made of other attacks."""
    offered = {getattr(offers, name) for name in offers.__all__} - {offers.AttackGroups, offers.Worst}
    rows = [type(row.make()).__mro__ for row in (*RULES, *ATTACKS)]
    made = {next(kind for kind in kinds if kind in offered) for kinds in rows}  # a row may hold a subclass
    assert made == {kind for kind in offered if issubclass(kind, (Aggregation, Attack))}


@pytest.mark.filterwarnings("ignore:model.num_byzantine=.* has no effect:UserWarning")  # not all rules ask
@pytest.mark.filterwarnings("ignore:model.server_lr=0.3. CRFL:UserWarning")
def test_a_run_of_every_rule(fit, rule):
    """Two rounds with some of the clients: aggregates, judgements and steps are the reference's.

    Statistics are no step: the server's learning rate does not scale them, and a variance ends at 0.
    """
    recorder, made = Recorder(needs_root_update=True), rule.make()
    network = nn.Sequential(mlp(), nn.BatchNorm1d(NUM_CLASSES))
    start, statistics = start_of(copy.deepcopy(network)), torch.tensor([0.0] * NUM_CLASSES + [1.0] * NUM_CLASSES)
    settings = {"clients_per_round": 7, "server_lr": 0.3, "num_byzantine": 2}
    server = fit(made, Diverse(), recorder, rounds=2, network=network, **settings)
    assert server.rule.label == rule.name
    given = [arrays_of(round, rule) for round, _ in recorder.ended]
    expected = map(torch.tensor, rule.in_rounds(given, 1))  # of 1.4 malicious clients
    for (round, aggregate), parameters, moved, update in zip(
        recorder.ended, recorder.parameters, recorder.statistics, expected, strict=True
    ):
        assert_close(aggregate.update.double(), update, rtol=1e-4, atol=1e-6)
        assert_close(parameters.double(), start.double() + 0.3 * update, rtol=1e-5, atol=1e-5)
        statistics = statistics + aggregate.statistics
        statistics[NUM_CLASSES:].clamp_(min=0.0)
        assert_close(moved, statistics)
        if rule.rounds is None or round.number == 0:  # later ones follow from what is kept
            check_weights(rule, round, aggregate)
            check_statistics(rule, round, aggregate)
        check_trust(rule, round, aggregate)
        if made.takes_parts:
            nn.utils.vector_to_parameters(start, server.network.parameters())  # as it was in the round
            check_parts(made, round, aggregate)
        start, statistics = parameters, moved


def check_statistics(rule, round, aggregate):
    updates, root, sizes, *_ = arrays_of(round, rule)
    statistics, root_statistics = (each.double().numpy() for each in (round.statistics, round.root_statistics))
    expected = rule.of_statistics(updates, statistics, root, root_statistics, sizes, 1)
    assert_close(aggregate.statistics.double(), torch.tensor(expected), rtol=1e-4, atol=1e-6)


def arrays_of(round, rule):
    """What references are given: updates, root update, numbers of examples, client ids and the model's parameters."""
    numbers = (each.double() for each in (round.updates, round.root_update, round.num_examples))
    tensors = (*numbers, round.client_ids, round.parameters.double())
    updates, root, *others = (each.numpy() for each in tensors)
    return updates, root if rule.knows is None else rule.knows(round), *others


def check_weights(rule, round, aggregate):
    weights = aggregate.judgement.weights
    assert (weights is None) == (rule.weights is None)
    if weights is not None:
        assert_close(
            weights.double(), torch.tensor(rule.weights(*arrays_of(round, rule)[:3], 1)).double(), rtol=1e-5, atol=1e-6
        )
        assert rule.keeps_root or float(weights.sum()) == pytest.approx(1)
    if rule.selects:
        assert torch.equal(weights.float() @ round.updates, aggregate.update)


def check_trust(rule, round, aggregate):
    if rule.trust is None:
        return
    judgement, (updates, root, *_) = aggregate.judgement, arrays_of(round, rule)
    ratios = np.linalg.norm(updates, axis=1) / np.linalg.norm(root)
    cosines = torch.tensor(reference.cosine_similarity(updates, root)).float()
    assert_close(judgement.cosines, cosines, rtol=1e-6, atol=1e-6)
    assert_close(judgement.norm_ratios.double(), torch.tensor(ratios), rtol=1e-5, atol=1e-6)
    assert_close(judgement.trust_scores.double(), torch.tensor(rule.trust(updates, root)), rtol=1e-5, atol=1e-6)
    assert judgement.cosines.min() < 0 < judgement.cosines.max()
    assert judgement.norm_ratios.max() > 2 * judgement.norm_ratios.median()


def check_parts(made, round, aggregate):
    """Folded part by part, one of them without clients, as a large round is."""
    made_of = [
        round.replace(**{name: getattr(round, name)[rows] for name in BY_CLIENT})
        for rows in (slice(0, 3), slice(3, 4), slice(4, 7), slice(0, 0))
    ]
    first, second, third, nobody = (made.fold(part) for part in made_of)
    parts = made.finish(first.plus(nobody).plus(second).plus(third), round).judgement.vectors
    assert parts.keys() == aggregate.judgement.vectors.keys()
    for name, vector in aggregate.judgement.vectors.items():
        assert_close(parts[name], vector)


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
