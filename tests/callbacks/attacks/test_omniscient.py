"""What attacks that know the benign updates refuse, and what they say before the first round."""

import hostile
import pytest
import torch

from callbacks import ALIE, IPM, ROP, ByzMean, Mimic, MinMax, MinSum
from flt.errors import InputError


@pytest.mark.parametrize(
    ("attack", "arguments", "message"),
    [
        (ALIE, {"z": -0.5}, "attack.z=-0.5 must be a number from 0"),
        (ALIE, {"z": "paper"}, "attack.z='paper' must be a number of 0 or more, or formula"),
        (ALIE, {"sign": "both"}, "attack.sign='both': choose one of minus, plus"),
        (ALIE, {"ddof": 2}, "attack.ddof=2 must be 0 or 1"),
        (IPM, {"epsilon": 0.0}, "attack.epsilon=0.0 must be a finite number greater than 0"),
        (MinMax, {"perturbation": "mean"}, "attack.perturbation='mean': choose one of std, minus_std, sign, unit"),
        (MinMax, {"search": "grid"}, "attack.search='grid': choose one of closed, bisection"),
        (MinMax, {"gamma_init": 0.0}, "attack.gamma_init=0.0 must be a finite number greater than 0"),
        (MinSum, {"gamma_init": -1.0}, "attack.gamma_init=-1.0 must be a finite number greater than 0"),
        (MinSum, {"bound": "mean"}, "attack.bound='mean': choose one of max, min"),
        (ByzMean, {"z": 0.0}, "attack.z=0.0 must be a finite number greater than 0"),
        (ByzMean, {"ddof": -1}, "attack.ddof=-1 must be 0 or 1"),
        (Mimic, {"warmup_rounds": 0}, "attack.warmup_rounds=0 must be at least 1"),
        (Mimic, {"pick": "first"}, "attack.pick='first': choose one of largest, smallest"),
        (Mimic, {"knowledge": "partial"}, "attack.knowledge=partial: Mimic copies a benign update"),
        (ROP, {"z": -1.0}, "attack.z=-1.0 must be a number from 0"),
        (ROP, {"angle": float("nan")}, "attack.angle=nan must be a number of degrees from -360 to 360"),
        (ROP, {"location_share": 1.5}, "attack.location_share=1.5 must be from 0 to 1"),
        (ROP, {"reference_share": -0.1}, "attack.reference_share=-0.1 must be from 0 to 1"),
    ],
    ids=str,
)
def test_arguments_out_of_range(attack, arguments, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        attack(**arguments)


@pytest.mark.parametrize("attack", [ALIE, ROP])
@pytest.mark.parametrize(
    ("num_clients", "num_malicious", "message"),
    [
        (10, 2, "attack.z=formula is 0 with 2 malicious of 10 clients, so that nothing"),
        (10, 1, "attack.z=formula is 0 with 1 malicious of 10"),
        (10, 7, "attack.z=formula is undefined with 7 malicious of 10 clients, a majority: z=0.431"),
        (50, 24, None),
        (10, 0, None),
    ],
)
def test_where_the_formula_for_z_has_no_answer(attack, num_clients, num_malicious, message):
    federation = hostile.federation_of(
        num_examples=torch.ones(num_clients), malicious=torch.arange(num_clients) < num_malicious
    )
    attack(z=0.5).check(federation)  # another z says nothing
    if message is None:
        attack(z="formula").check(federation)
        return
    with pytest.warns(UserWarning, match=message.replace(".", r"\.")):
        attack(z="formula").check(federation)


@pytest.mark.parametrize("attack", [MinMax, MinSum])
def test_a_first_step_that_nothing_starts_with(attack):
    with pytest.warns(UserWarning, match=r"attack\.gamma_init=3\.0 has no effect with search=closed"):
        attack(gamma_init=3.0)
    assert attack(gamma_init=3.0, search="bisection").gamma_init == 3.0


def test_the_last_aggregate_is_the_last_step_by_the_learning_rate_of_the_server():
    malicious = torch.tensor([False, False, True])
    federation = hostile.federation_of(num_examples=torch.ones(3), malicious=malicious).replace(server_lr=0.5)
    round = hostile.round_of(federation, torch.ones(3, 2), torch.ones(2))
    first = ROP(z=1.0).craft(round.replace(malicious=~malicious & malicious))
    assert torch.equal(first.updates, round.updates)  # nobody attacks, and yet the model is kept
    sent = ROP(z=1.0).craft(round.replace(parameters=torch.tensor([0.5, 0.0]), memory=first.memory)).updates
    torch.testing.assert_close(sent[2], torch.tensor([1.0, 0.0]) + torch.tensor([-0.1, 1.0]) / 1.01**0.5)
