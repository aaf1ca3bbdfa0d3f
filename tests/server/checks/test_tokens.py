"""Runs on token ids: integers from the data set to the network."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from callbacks import FLTrust, ScalingAttack
from flt.data import Arrays, Examples, FeatureTrigger, TokenTrigger
from flt.errors import InputError
from flt.server.checks.tokens import check_token_ids


class Bag(nn.Module):
    """Class scores from the mean of the tokens' embeddings; it notes the types of what it is given."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding, self.scores = nn.Embedding(vocabulary, 4), nn.Linear(4, 2)
        self.seen: set[torch.dtype] = set()

    def forward(self, tokens: Tensor) -> Tensor:
        self.seen.add(tokens.dtype)
        return self.scores(self.embedding(tokens).mean(dim=-2))


@pytest.fixture
def data(tmp_path) -> Arrays:
    """Five clients, one of which has less than a batch, so that it is padded; ids from 3 to 29."""
    draw = np.random.default_rng(0)
    tokens, labels = draw.integers(3, 30, size=(60, 7)), np.arange(60) % 2
    tokens[0, 0], tokens[1, 1] = 3, 29
    clients = np.minimum(np.arange(50) // 11, 4)
    np.savez(
        tmp_path / "t.npz",
        **{"x_train": tokens[:50], "y_train": labels[:50], "x_test": tokens[50:], "y_test": labels[50:]},
        client_ids=clients,
    )
    return Arrays(str(tmp_path / "t.npz"), root_size=4, batch_size=8)


def test_a_run_on_token_ids(data: Arrays, fit):
    network = Bag(41)
    attack = ScalingAttack(trigger=TokenTrigger([40, 5], position=3))
    server = fit(FLTrust(), attack, data=data, network=network)
    assert network.seen == {torch.int64}
    assert data.clients.features.dtype == torch.int64
    assert 0 <= float(server.trainer.callback_metrics["attack_success_rate"]) <= 1


@pytest.mark.parametrize(
    ("vocabulary", "attack", "message"),
    [
        (29, None, r"from 3 to 29: index out of range in self; an embedding needs 30 entries"),
        (30, FeatureTrigger([0], 30), "from 3 to 30 with the trigger: .* an embedding needs 31 entries"),
        (30, FeatureTrigger([0], -1), "from -1 to 29 with the trigger: .* no id is negative"),
    ],
)
def test_ids_that_the_network_does_not_know(data: Arrays, vocabulary: int, attack, message: str, fit):
    callbacks = [FLTrust(), *([ScalingAttack(trigger=attack)] if attack else [])]
    with pytest.raises(InputError, match=f"model.network Bag cannot take the token ids of t, {message}"):
        fit(*callbacks, data=data, network=Bag(vocabulary))


class OneHot(nn.Linear):
    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(nn.functional.one_hot(tokens, self.in_features).float().mean(dim=1))


class Placed(Bag):
    """With an embedding of five places."""

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(torch.arange(tokens.shape[1]).expand_as(tokens))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (OneHot(40, 2), "OneHot cannot take the token ids of t, from 3 to 40: Class values must be smaller than num_"),
        (Placed(5), r"Placed cannot take examples of shape \[7\]: index out of range in self; are they too long"),
    ],
)
def test_networks_without_an_embedding_of_tokens(data: Arrays, network: nn.Module, message: str):
    data.setup()
    data.validation = Examples(torch.full((1, 7), 40), torch.zeros(1, dtype=torch.int64))  # held out from all others
    with pytest.raises(InputError, match=message):
        check_token_ids(network, data, None)


def test_other_mistakes_are_left_to_another_check(data: Arrays):
    data.setup()
    check_token_ids(nn.Linear(7, 2), data, None)
