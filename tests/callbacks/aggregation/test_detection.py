"""What the rules that look for attackers do beyond what the table of rules can hold."""

import torch
from tiny import Recorder

from callbacks import FLAME


def last_round(fit, rule, *callbacks, **settings):
    """The last round as the rule saw it, and what it made of it."""
    recorder = Recorder()
    fit(rule, *callbacks, recorder, **{"rounds": 1} | settings)
    return recorder.ended[-1]


def test_the_noise_of_flame_is_in_median_lengths(fit):
    """The same in a second run, another in another round."""
    round, plain = last_round(fit, FLAME(noise=0.0))
    noise = [
        (last_round(fit, FLAME(noise=level))[1].update - plain.update) / (level * round.updates.norm(dim=1).median())
        for level in (0.5, 0.5, 0.25)
    ]
    assert torch.equal(noise[0], noise[1])
    torch.testing.assert_close(noise[2], noise[0], rtol=1e-3, atol=1e-4)
    assert 0.8 < noise[0].std() < 1.2
    assert not torch.equal(round.generator("FLAME").get_state(), round.replace(number=1).generator("FLAME").get_state())
