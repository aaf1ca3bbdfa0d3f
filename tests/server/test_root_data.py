"""What a rule can ask the server to compute with data of its own."""

import copy

import pytest
import torch
from tiny import Recorder, TinyData, TinyImages, mlp
from torch import nn

from callbacks import NNM, FedAvg
from flt.clients.batch_norm import move_statistics
from flt.clients.flat_network import FlatNetwork
from flt.clients.randomness.state import random_state
from flt.data import ClientData, Examples
from flt.data.inputs import InputPipeline
from flt.federation import Attack
from flt.federation.aggregation import ClientWeights


class Asking(ClientWeights):
    """Weighs clients by what the server says, and notes every answer."""

    needs_root_data = True

    def __init__(self):
        self.asked = []

    def weigh(self, round):
        server, before = round.require_server(), random_state()
        sets = server.shared(0.3)
        ids = round.client_ids
        scores = server.logits(round.updates, round.statistics)
        again = torch.stack([server.logits(*pair) for pair in zip(round.updates, round.statistics, strict=True)])
        torch.testing.assert_close(scores, again, rtol=1e-4, atol=1e-5)
        guides = server.train(sets, ids)
        assert random_state() == before
        self.asked.append((round, scores, sets, guides, server.train(sets, ids.flip(0)[:2])))
        return 1 / (1 + scores.logsumexp(dim=2).mean(dim=1))


class Wondering(Attack):
    """Asks the rule, and sends what clients have trained."""

    def __init__(self):
        super().__init__(0.2)

    def craft(self, round):
        round.rule(-round.updates)


def batch_norm():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


CASES = {
    "epochs": lambda: {"data": TinyData(batch_size=4), "local_epochs": 2, "clients_per_round": 7},
    "vectors": lambda: {
        "data": TinyData(batch_size=4),
        "network": nn.Sequential(mlp(), nn.Dropout(0.1)),
        "local_steps": 2,
        "clients_per_round": 7,
    },
    "images": lambda: {"data": TinyImages(InputPipeline(flip=True, normalize=True)), "network": batch_norm()},
}


@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_model_plus_an_update(fit, case):
    rule, recorder, settings = Asking(), Recorder(), CASES[case]()
    data = settings["data"]
    fit(rule, recorder, rounds=2, **settings)
    for round, scores, *_ in rule.asked:
        features = data.root.features if data.normalization is None else data.normalization(data.root.features)
        for update, change, found in zip(round.updates, round.statistics, scores, strict=True):
            network = copy.deepcopy(round.server.of_run.training.network).eval()
            for name, value in FlatNetwork(network).unflatten(round.parameters + update).items():
                network.get_parameter(name).data.copy_(value)
            for name, value in round.server.statistics.items():  # as they were
                network.get_buffer(name).copy_(value)
            move_statistics(network, change)
            torch.testing.assert_close(found, network(features).detach(), rtol=1e-4, atol=1e-5)
    assert rule.asked[1][0].statistics.any() == (case == "images")


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_the_same_whoever_asks(fit, case):
    plain, asked = Recorder(), Recorder()
    fit(Asking(), plain, **CASES[case]())
    fit(Asking(), Wondering(), asked, **CASES[case]())
    assert torch.equal(torch.stack(plain.parameters), torch.stack(asked.parameters))


def test_what_a_set_is_trained_on_depends_on_its_index_alone(fit):
    rule = Asking()
    fit(rule, rounds=2, **CASES["vectors"]())
    for _, _, sets, guides, few in rule.asked:
        assert (sets.sizes > 4).any()  # a batch
        torch.testing.assert_close(few.updates, guides.updates.flip(0)[:2], rtol=1e-4, atol=1e-7)
    first, second = (answer[3].updates for answer in rule.asked)
    assert not torch.allclose(first, second)


def test_a_set_is_trained_on_like_a_client_that_has_it(fit):
    """A client whose examples fit into a batch."""

    class Whole(Asking):
        def weigh(self, round):
            server = round.require_server()
            self.asked.append((round.updates, server.train(server.shared(1.0)).updates))
            return torch.ones(len(round))

    rule = Whole()
    fit(rule, data=TinyData(batch_size=40), local_steps=2)
    for updates, guides in rule.asked:
        torch.testing.assert_close(guides, updates, rtol=1e-4, atol=1e-6)


def test_what_clients_share_is_from_before_an_attack(fit):
    class Poison(Attack):
        def poison(self, federation):
            clients = federation.clients
            return ClientData(clients.features + 100, 0 * clients.labels, clients.offsets)

    rule, data = Asking(), TinyData()
    fit(rule, Poison(0.2), data=data, rounds=1)
    sets = rule.asked[0][2]
    assert sets.sizes.tolist() == [-(-3 * size // 10) for size in data.clients.sizes.tolist()]
    for client in range(10):
        own = {tuple(row) for row in data.clients.of(client).features.tolist()}
        part = [tuple(row) for row in sets.of(client).features.tolist()]
        assert set(part) <= own
        assert len(set(part)) == len(part)


def test_it_is_there_where_it_is_asked_for(fit):
    without, inside = Recorder(), Recorder()
    fit(FedAvg(), without, rounds=1)
    assert without.received[0].server is None
    fit(NNM(Asking()), inside, rounds=1)
    assert isinstance(inside.received[0].server.root, Examples)
