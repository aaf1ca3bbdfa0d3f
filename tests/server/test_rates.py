"""The learning rates of rounds are those that torch's schedulers give an optimizer, step by step."""

from functools import partial

import pytest
import torch
from tiny import fit
from torch import nn
from torch.optim import lr_scheduler as torchs

from callbacks import FedAvg, MetricsLogger
from flt.errors import InputError
from flt.server.rates import rates_of


def warm_up(optimizer):
    parts = [torchs.LinearLR(optimizer, 0.1, total_iters=3), torchs.StepLR(optimizer, 2, 0.5)]
    return torchs.SequentialLR(optimizer, parts, milestones=[3])


class Short(torchs.LRScheduler):
    """Has rates for three rounds."""

    def get_lr(self):
        if self.last_epoch > 2:
            raise ValueError("no more")
        return [0.1 / (1 + self.last_epoch)]


SCHEDULES = {
    "StepLR(step_size=3, gamma=0.5)": partial(torchs.StepLR, step_size=3, gamma=0.5),
    "MultiStepLR(milestones=[2, 5, 5], gamma=0.1)": partial(torchs.MultiStepLR, milestones=[5, 2, 5]),
    "CosineAnnealingLR(T_max=8, eta_min=0.0)": partial(torchs.CosineAnnealingLR, T_max=8),
    "CosineAnnealingWarmRestarts(T_0=4, T_mult=1, eta_min=0.0)": partial(torchs.CosineAnnealingWarmRestarts, T_0=4),
    "SequentialLR(LinearLR(start_factor=0.1, end_factor=1.0, total_iters=3), StepLR(step_size=2, gamma=0.5),"
    " milestones=[3])": warm_up,
}
ENDS = {
    "OneCycleLR.* ends after 7 of the 8 .*: set total_steps=8": partial(torchs.OneCycleLR, max_lr=0.1, total_steps=7),
    "ends after 3 of the 8 rounds of trainer.max_steps: ValueError: no more": lambda optimizer: Short(optimizer),
    r"T_max=5, .* ends after 5 of the 8 .*: set T_max=8": partial(torchs.CosineAnnealingLR, T_max=5),
    r"LinearLR\(.* ends after 2 of the 8 .* rate of 0": partial(
        torchs.LinearLR, start_factor=1.0, end_factor=0.0, total_iters=2
    ),
    "lr_schedule cannot be used: TypeError": torchs.StepLR,
    "lr_schedule made a SGD": lambda optimizer: optimizer,
    r"makes -0\.1 of model\.client_lr=0\.1 in round 1": lambda optimizer: torchs.LambdaLR(
        optimizer, lambda number: 1 - 2 * number
    ),
}
WARNS = {
    "the learning rate is 0 in round 0": partial(torchs.LinearLR, start_factor=1e-13, total_iters=20),
    r"StepLR\(step_size=8, .* has no effect: the learning rate is 0\.1 in all 8": partial(torchs.StepLR, step_size=8),
    r"sets rates of its own, from 0\.02, so that model\.client_lr=0\.1 has no effect": partial(
        torchs.CyclicLR, base_lr=0.02, max_lr=0.1, step_size_up=2, cycle_momentum=False
    ),
    r"leaves model\.client_momentum=0\.9 alone": partial(torchs.OneCycleLR, max_lr=2.5, total_steps=8),
}


@pytest.mark.parametrize("label", SCHEDULES)
def test_rates_are_those_of_a_loop_of_torchs(label):
    rates = rates_of(SCHEDULES[label], 0.1, num_rounds=8)
    rates.check(0.1, momentum=0.0)
    assert rates.label == label
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("warnings.warn", lambda *args, **kwargs: None)  # SequentialLR's own
        scheduler = SCHEDULES[label](optimizer)
        for rate in rates.values:
            assert rate == optimizer.param_groups[0]["lr"]
            optimizer.step()
            scheduler.step()
    assert len(set(rates.values)) > 2


@pytest.mark.parametrize("message", ENDS)
def test_schedules_that_cannot_be_used_or_end_early(message):
    with pytest.raises(InputError, match=message):
        rates_of(ENDS[message], 0.1, num_rounds=8).check(0.1, momentum=0.0)


@pytest.mark.parametrize("message", WARNS)
def test_what_a_schedule_leaves_as_it_is(message):
    with pytest.warns(UserWarning, match=message):
        rates_of(WARNS[message], 0.1, num_rounds=8).check(0.1, momentum=0.9)


def test_rows_hold_the_rate_where_it_follows_a_schedule(tmp_path):
    rows = []
    for schedule in (None, SCHEDULES["StepLR(step_size=3, gamma=0.5)"]):
        metrics = MetricsLogger()
        fit(tmp_path, FedAvg(), metrics, rounds=4, client_lr=0.04, lr_schedule=schedule)
        rows.append([row.get("client_lr") for row in metrics.rows])
    assert rows == [[None] * 4, [0.04, 0.04, 0.04, 0.02]]
