"""What the table cannot hold of the rules that bound what an update can do: noise, units, warnings."""

import hostile
import pytest
import torch
from catalogue import EXAMPLE
from torch.testing import assert_close

from callbacks import RLR, CenteredClipping, FedAvg, GeometricMedian, Median, NormClipping
from flt import functional as F


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
