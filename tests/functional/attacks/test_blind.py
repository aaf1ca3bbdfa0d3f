import pytest
import reference.blind_attacks as blind
import torch

from flt import functional as F
from flt.functional.layout import layout_of


@pytest.mark.parametrize("probability", [0.01, 0.5, 0.95, 0.99])
def test_binomial_quantile(probability):
    for num_trials in range(1, 150):
        assert F.binomial_quantile(num_trials, probability) == blind.heads_quantile(num_trials, probability)


@pytest.mark.parametrize(
    ("num_params", "at_95", "at_99"),
    [(1204682, 603244, 603618), (139960, 70288, 70415), (717924, 359659, 359948), (145212, 72919, 73049)],
)
def test_binomial_quantiles_that_the_authors_of_poisonedfl_give(num_params, at_95, at_99):
    assert (F.binomial_quantile(num_params, 0.95), F.binomial_quantile(num_params, 0.99)) == (at_95, at_99)


def poisoned(positions, period, malicious=(True, False), **settings):
    """What PoisonedFL sends when the global model takes these positions, and its last state."""
    state, sent, draws = None, [], torch.Generator().manual_seed(0)
    for position in positions:
        parameters = torch.as_tensor(position, dtype=torch.float64)
        updates = torch.ones(2, len(parameters), dtype=torch.float64)
        received, state = F.poisoned_fl(
            updates, torch.tensor(malicious), parameters, state, period=period, generator=draws, **settings
        )
        sent.append(received[0])
    return sent, state


def test_poisonedfl_shrinks_where_the_model_does_not_follow():
    signs = poisoned([torch.zeros(40)], 2)[1]["signs"]
    against = poisoned([-step * signs for step in range(9)], 2)[1]
    assert against["scale"] == pytest.approx(8.0 * 0.7**4)
    assert poisoned([step * signs for step in range(9)], 2)[1]["scale"] == 8.0
    assert poisoned([-step * signs for step in range(9)], 2, scale=0.7)[1]["scale"] == 0.7  # 0.49 were too little
    assert poisoned([-step * signs for step in range(9)], 2, malicious=(False, False))[1]["scale"] == 8.0


@pytest.mark.parametrize(("num_along", "scale"), [(27, 8.0), (26, 8.0 * 0.7)])
def test_poisonedfl_counts_entries_that_have_moved_along(num_along, scale):
    """27 of 40 are enough, and an entry that has not moved counts by its sign."""
    signs = poisoned([torch.zeros(40)], 2)[1]["signs"]
    start = signs * torch.where(torch.arange(40) < num_along, 1.0, -1.0)
    moving = signs * torch.where(torch.arange(40) < num_along - 5, 1.0, 0.0)
    assert poisoned([start + step * moving for step in range(4)], 3)[1]["scale"] == pytest.approx(scale)


def test_poisonedfl_sends_the_signs_that_it_has_drawn():
    sent, state = poisoned([torch.full((40,), float(step)) for step in range(3)], 50)
    assert not sent[0].any()
    for received in sent[1:]:
        assert torch.equal(received.sign(), state["signs"])
        assert float(received.norm()) == pytest.approx(8.0 * 40**0.5)  # times the step's length


def test_another_initialization_has_the_same_numbers_in_each_tensor():
    first = torch.randn(30)
    first[20:25] = 0.0
    other = F.other_initialization(first, layout_of({"weight": (4, 5), "bias": (5,), "scale": (5,)}))
    for place in (slice(0, 20), slice(20, 25), slice(25, 30)):
        assert torch.equal(other[place].sort().values, first[place].sort().values)
    assert not torch.equal(other[:20], first[:20])


@pytest.mark.parametrize("num_malicious", [2, 3, 7, 8])
def test_noise_of_sybils_cancels_out(num_malicious):
    updates, malicious = torch.randn(9, 20, dtype=torch.float64), torch.arange(9) < num_malicious
    noise = (F.sybil_noise(updates, malicious, scale=2.0) - updates)[malicious]
    pairs = num_malicious // 2
    torch.testing.assert_close(noise.sum(dim=0), torch.zeros(20, dtype=torch.float64))
    products = noise[: 2 * pairs : 2] @ noise[: 2 * pairs : 2].T
    assert (products - products.diag().diag()).abs().max() < 1e-9
    lengths = updates.norm(dim=1)[: 2 * pairs].view(pairs, 2).mean(dim=1)
    torch.testing.assert_close(products.diag().sqrt(), 2.0 * lengths)
