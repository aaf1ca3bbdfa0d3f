"""What the table cannot hold of the rules that bound what an update can do: noise, units, warnings."""

import hostile
import pytest
import reference.bounding as bounding
import torch
from catalogue import EXAMPLE
from torch.testing import assert_close

from callbacks import AFA, CRFL, RLR, CenteredClipping, FedAvg, GeometricMedian, Median, NormClipping
from flt import functional as F
from flt.functional.aggregation.bounding.afa import doubt


def example_round(updates=EXAMPLE, num_malicious=1):
    rows = torch.tensor(updates)
    federation = hostile.federation_of(
        num_examples=torch.ones(len(rows)), malicious=torch.arange(len(rows)) >= len(rows) - num_malicious
    )
    return hostile.round_of(federation, rows, torch.ones(rows.shape[1]))


def test_noise_comes_once_on_the_mean_and_anew_each_round():
    wide = torch.zeros(5, 10_000)
    mean = torch.zeros(10_000)
    found = []
    for number, clients_per_part in ((0, 5), (0, 2), (1, 5)):
        case = hostile.Case(example_round(wide.tolist()).replace(number=number), clients_per_part=clients_per_part)
        rule = NormClipping(max_norm=1.0, noise_std=0.25)
        found.append(rule.aggregate(case.round).update if number else hostile.receive(case, rule)[1].update)
    assert_close(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    for noisy in found:
        assert (noisy - mean).std() == pytest.approx(0.25, rel=0.03)


def test_bounds_in_units_of_the_median_distance():
    """A factor on all updates is then one on the aggregate."""
    round = example_round()
    longer = round.replace(updates=1000 * round.updates)
    for rule in (CenteredClipping(0.5, relative=True), GeometricMedian(smoothing=0.1, relative=True)):
        assert_close(rule.aggregate(longer).update, 1000 * rule.aggregate(round).update)
    # The median norm is 2.154066.
    expected = F.norm_clipping(round.updates, max_norm=2.154066)
    assert_close(CenteredClipping(1.0, relative=True).aggregate(round).update, expected)


def test_momentum_widens_the_bound():
    round = example_round()
    widened = CenteredClipping(0.5, momentum=0.75).aggregate(round)
    assert_close(widened.update, CenteredClipping(2.0).aggregate(round).update)
    assert widened.judgement.scores.argmin() == 6  # the longest is shortened most


def test_a_robust_learning_rate_around_another_rule():
    aggregate = RLR(Median(), threshold=6).aggregate(example_round())
    assert_close(aggregate.update, torch.tensor([1.2, -1.0]))


@pytest.mark.parametrize(
    ("threshold", "num_malicious", "message"),
    [(0, 1, "threshold=0 has no effect"), (1, 1, "with 2 to 5"), (None, 3, "threshold=4: 3 malicious among 7 clients")],
)
def test_thresholds_that_do_not_do_what_they_should(threshold, num_malicious, message):
    with pytest.warns(UserWarning, match=message):
        RLR(FedAvg(), threshold).check(example_round(num_malicious=num_malicious).federation)


def test_doubt_is_the_beta_distribution_s():
    counts = torch.cartesian_prod(torch.arange(1, 9), torch.arange(1, 9))
    expected = [bounding.probability_below_half(good, bad) for good, bad in counts.tolist()]
    assert_close(doubt(*counts.T), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert doubt(torch.tensor([3000]), torch.tensor([3200])).item() == pytest.approx(0.9945, abs=1e-3)


def test_afa_blocks_who_is_left_out_again_and_again():
    """With three of either as prior, P(x < 1/2) is 0.91 after four rounds and 0.945 after five."""
    updates = 1.0 + 0.1 * torch.randn(7, 20, generator=torch.Generator().manual_seed(0))
    updates[6] *= -1.0
    round, rule, left_out = example_round(updates.tolist()), AFA(certainty=0.94), []
    for _ in range(8):
        aggregate = rule.aggregate(round)
        left_out.append(aggregate.memory["counts"].rows[6].tolist())
        assert aggregate.judgement.weights[6] == 0
        assert aggregate.judgement.weights[0] > 0
        round = round.replace(memory=aggregate.memory)
    assert left_out == [[0, n] for n in (1, 2, 3, 4, 5, 5, 5, 5)]
    assert aggregate.judgement.scores[6] == pytest.approx(3 / 11)
    assert aggregate.judgement.scores[0] == pytest.approx(10 / 13)


def test_the_bound_of_a_model_grows_and_the_last_round_has_no_noise():
    round = example_round().replace(parameters=torch.tensor([30.0, 40.0]))
    rule = CRFL(noise_std=0.25, growth=0.5, largest=3.2, num_rounds=4)
    noise_free = CRFL(noise_std=0.0, growth=0.5, largest=3.2)
    for number, bound in enumerate((2.5, 3.0, 3.2, 3.2)):
        now = round.replace(number=number)
        model = noise_free.aggregate(now).update + now.parameters
        assert_close(model.norm(), torch.tensor(bound), rtol=1e-5, atol=0)
        assert torch.equal(rule.aggregate(now).update + now.parameters, model) == (number == 3)
    wide = example_round(torch.zeros(3, 10_000).tolist())
    assert rule.aggregate(wide).update.std() == pytest.approx(0.25, rel=0.03)


def test_a_bound_on_another_model_than_the_server_s():
    federation = example_round().federation.replace(server_lr=0.5)
    with pytest.warns(UserWarning, match=r"model\.server_lr=0\.5: CRFL shortens the model"):
        CRFL().check(federation)
