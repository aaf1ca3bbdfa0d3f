"""One or two hostile clients among benign ones, whatever they send: what the rule makes of the round."""

import hostile
import numpy as np
import pytest
import torch
from hostile import receive

from callbacks import FedAvg, FLTrust, Median, TrimmedMean
from flt.federation import FederatedCallback, by_client
from flt.functional import median

MAX = torch.finfo(torch.float32).max
HOSTILE = {
    "NaN": lambda benign: torch.full_like(benign[0], torch.nan),
    "one NaN": lambda benign: benign[0].index_fill(0, torch.tensor([3]), torch.nan),
    "infinity": lambda benign: torch.full_like(benign[0], torch.inf),
    "one minus infinity": lambda benign: benign[0].index_fill(0, torch.tensor([3]), -torch.inf),
    "infinities of both signs": lambda benign: torch.where(benign[0] > 0, torch.inf, -torch.inf),
    "zeros": lambda benign: torch.zeros_like(benign[0]),
    "subnormals": lambda benign: torch.full_like(benign[0], 1e-45),
    "1e38": lambda benign: torch.full_like(benign[0], 1e38),
    "largest of both signs": lambda benign: torch.where(benign[0] > 0, MAX, -MAX),
    "one entry of 1e38": lambda benign: benign[0].index_fill(0, torch.tensor([3]), 1e38),
    "another client's": lambda benign: benign[1].clone(),
    "the opposite": lambda benign: -1e6 * benign.mean(dim=0),
}
DROPPED = {"NaN", "one NaN", "infinity", "one minus infinity", "infinities of both signs"}


def a_case(updates, *, root=None, clients_per_part=10, num_byzantine=2):
    """A round in which these updates arrive; the first two clients are the hostile ones."""
    num_clients, num_params = updates.shape
    federation = hostile.federation_of(
        num_examples=torch.arange(5, 5 + num_clients), malicious=torch.arange(num_clients) < num_byzantine
    )
    return hostile.Case(
        hostile.round_of(federation, updates, torch.ones(num_params) if root is None else root),
        clients_per_part=clients_per_part,
    )


def benign_updates(num_clients=8, num_params=6):
    """Nearly the root update, which is all ones."""
    return 1 + 0.3 * torch.randn(num_clients, num_params, generator=torch.Generator().manual_seed(0))


def test_two_hostile_clients(rule):
    """Whatever they send, and whether the round comes as a whole or in parts, by turns."""
    benign = benign_updates()
    for number, sent in enumerate(HOSTILE):
        updates = torch.cat([HOSTILE[sent](benign).expand(2, -1), benign])
        round, aggregate = receive(a_case(updates, clients_per_part=(10, 3)[number % 2]), rule.make())
        assert round.num_dropped == (2 if sent in DROPPED else 0), sent
        assert round.client_ids.tolist() == list(range(2 if sent in DROPPED else 0, 10)), sent
        assert aggregate is not None, sent
        assert aggregate.update.isfinite().all(), sent
        if rule.robust or sent in DROPPED:
            assert aggregate.update.any(), sent
            assert aggregate.update.norm() <= 1.3 * benign.norm(dim=1).max(), sent


def test_all_send_the_same(rule):
    for kind in ("zeros", "subnormals", "1e38", "another client's"):
        updates = HOSTILE[kind](benign_updates()).expand(10, -1)
        _, aggregate = receive(a_case(updates), rule.make())
        assert aggregate is not None
        sent = updates.double().numpy()
        if kind == "subnormals" and rule.follows and (rule.knows or rule.make().needs_root_update):
            sent = 0 * sent  # no factor of float32 brings them to the root update's length
        expected = rule.reference(sent, np.ones(6), np.arange(5, 15), 2)
        torch.testing.assert_close(aggregate.update.double(), torch.tensor(expected), rtol=1e-5, atol=1e-40)


class Spoiling(FederatedCallback):
    """Makes the fourth client's update something else once it has been received."""

    def __init__(self, value):
        self.value = value

    @by_client
    def on_updates_received(self, round):
        return round.replace(updates=torch.where(round.client_ids[:, None] == 3, self.value, round.updates))


@pytest.mark.parametrize(("value", "clients_per_part"), [(torch.nan, 10), (torch.inf, 3)])
def test_what_a_hook_spoils_is_dropped_after_it(value, clients_per_part):
    case = a_case(benign_updates(10), clients_per_part=clients_per_part)
    round, aggregate = receive(case, FedAvg(), Spoiling(value))
    assert round.client_ids.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert round.num_dropped == 1
    assert aggregate.update.isfinite().all()


def test_a_plain_mean_of_huge_updates():
    """Their sum is beyond float32, the mean is not."""
    updates = torch.full((10, 3), 3e38)
    updates[:, 1] *= -1
    updates[::2, 2] *= -1
    for made in (FedAvg(), TrimmedMean(trim=0), Median()):
        _, aggregate = receive(a_case(updates), made)
        assert aggregate.update[:2].tolist() == pytest.approx([3e38, -3e38], rel=1e-6)
        assert aggregate.update.isfinite().all()


@pytest.mark.parametrize("root_norm", [1.0, 1e-3, 1e-6])
def test_the_longest_of_updates_counts_as_long_as_the_root_update(root_norm):
    """What brings it to that length is a factor that float32 has no digits for."""
    root = torch.full((4,), root_norm / 2)
    for updates in (torch.full((1, 4), MAX), torch.full((1, 4), MAX).repeat(10, 1)):
        _, aggregate = receive(a_case(updates, root=root, num_byzantine=0), FLTrust())
        torch.testing.assert_close(aggregate.update, root)


def test_statistics_are_dropped_with_their_updates_and_judged_without_them():
    """A network with batch normalisation sends two vectors a client; the rule says nothing of the second."""
    case, statistics = a_case(benign_updates(10)), torch.arange(30.0).view(10, 3)
    statistics[4, 1] = torch.nan
    case = hostile.Case(case.round.replace(statistics=statistics, root_statistics=torch.zeros(3)), 10)
    round, aggregate = receive(case, Median())
    assert round.client_ids.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    torch.testing.assert_close(aggregate.statistics, median(round.statistics))
