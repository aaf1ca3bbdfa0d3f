"""Any network of the user's trains, and to what training one client after the other in plain PyTorch gives."""

import logging
from contextlib import nullcontext

import pytest
import torch
from networks import NETWORKS, NUM_TOKENS, OF_TOKENS
from tiny import Recorder, TinyData, fit
from torch import nn

from callbacks import FLTrust, TrimAttack
from flt.clients.batch_norm import statistics_of
from flt.clients.one_by_one import LocalUpdates
from flt.clients.randomness.layers import RandomLayers
from flt.clients.training import LocalTraining
from flt.data import Examples, RawData

SIZES = (24, 18, 7, 33, 21)  # of the clients, who are trained three and two together; the third has less than a batch


class Texts(TinyData):
    """`TinyData` with token ids in place of numbers."""

    def load(self, seed):
        raw = super().load(seed)

        def tokens(examples):
            return Examples((examples.features.abs() * 2).long() % NUM_TOKENS, examples.labels)

        return RawData(tokens(raw.train), raw.owners, tokens(raw.test), False, raw.num_clients)


def one_after_the_other(make):
    """What `LocalTraining.together` should give: a network built anew for each client, and torch's own optimizer."""

    def together(training, groups, *, client_lr, steps=None):
        return [
            LocalUpdates(
                *map(
                    torch.stack,
                    zip(*(trained(training.network, batches, i) for i in range(len(batches.labels))), strict=True),
                )
            )
            for batches in groups
        ]

    def trained(network, batches, client):
        local = make()
        local.load_state_dict(network.state_dict())
        weights = [parameter for parameter in local.parameters() if parameter.requires_grad]
        start, before = nn.utils.parameters_to_vector(weights).detach().clone(), running(local)
        size, loss = int(batches.sizes[client, 0]), torch.zeros(())
        seeds = [None] * len(batches.labels[client]) if batches.seeds is None else batches.seeds[client].tolist()
        for features, labels, seed in zip(batches.features[client], batches.labels[client], seeds, strict=True):
            local.zero_grad()
            with nullcontext() if seed is None else RandomLayers.alone(seed):
                scores = local(features[:size].clone())
            loss = nn.functional.cross_entropy(scores, labels[:size], reduction="sum")
            loss.backward()
            with torch.no_grad():
                for parameter in weights:
                    if parameter.grad is not None:
                        parameter -= 0.02 * parameter.grad.to_dense()
        return nn.utils.parameters_to_vector(weights).detach() - start, loss.detach() / size, running(local) - before

    def running(network):
        return torch.cat([torch.zeros(0), *(each.flatten().clone() for each in statistics_of(network).values())])

    return together


def trained(folder, name, make):
    """Two rounds; the clients' updates and statistics, parameters after each round, and the last global model."""
    torch.manual_seed(3)
    recorder = Recorder()
    data = Texts(SIZES) if name in OF_TOKENS else TinyData(SIZES)
    settings = {"initialization": "network", "clients_per_chunk": 3, "local_steps": 2}
    callbacks = recorder, FLTrust(), TrimAttack()
    server = fit(folder, *callbacks, rounds=2, network=make(), data=data, **settings)
    assert not any(value.isnan().any() for value in server.state_dict().values())
    return [(round.updates, round.statistics) for round in recorder.honest], recorder.parameters, server.state_dict()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode:UserWarning")  # Lightning's; as it should be
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")  # which users have in their code all the same
@pytest.mark.filterwarnings("ignore:.*clients_per_chunk has no effect. batch normalisation")
def test_is_trained_as_in_plain_pytorch(name, tmp_path, monkeypatch, caplog):
    make, reason = NETWORKS[name]
    caplog.set_level(logging.INFO, "flt")
    sent, parameters, state = trained(tmp_path, name, make)
    told = [record.message for record in caplog.records if "one after the other" in record.message]
    assert len(told) == (reason is not None)
    assert reason is None or reason in told[0]
    monkeypatch.setattr(LocalTraining, "together", one_after_the_other(make))
    expected, expected_parameters, expected_state = trained(tmp_path, name, make)
    torch.testing.assert_close(sent[0], expected[0], rtol=1e-3, atol=1e-5)
    updates, statistics = expected[0]
    assert updates.any()
    assert statistics.any() == (statistics.numel() > 0 and "evaluates" not in name)
    torch.testing.assert_close(state, expected_state, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(parameters, expected_parameters, rtol=1e-3, atol=1e-4)
