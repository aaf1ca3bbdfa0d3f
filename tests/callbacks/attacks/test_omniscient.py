"""What attacks that know the benign updates refuse, and what they say before the first round."""

import hostile
import pytest
import torch

from callbacks import ALIE, IPM, ByzMean, MinMax, MinSum
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
    ],
    ids=str,
)
def test_arguments_out_of_range(attack, arguments, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        attack(**arguments)


@pytest.mark.parametrize("attack", [ALIE])
@pytest.mark.parametrize(
    ("num_clients", "num_malicious", "message"),
    [
        (10, 2, "attack.z=formula is 0 with 2 malicious of 10 clients, who send the mean"),
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
    attack().check(federation)  # another z says nothing
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
