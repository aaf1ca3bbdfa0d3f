"""What the rules that look for attackers do beyond what the table of rules can hold."""

import numpy as np
import pytest
import reference.detection as reference
import torch
from tiny import Recorder

from callbacks import FLAME, SignGuard, TrimAttack
from flt.functional.aggregation.detection.signguard import block_of


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


@pytest.mark.parametrize("feature", ["none", "cosine", "distance"])
def test_rounds_of_signguard(fit, feature):
    """A block of coordinates is drawn anew each round; the variants compare with the round before."""
    recorder = Recorder()
    fit(SignGuard(feature, share=0.3), TrimAttack(0.3), recorder, rounds=4)
    given, blocks = [], []
    for round, _ in recorder.ended:
        draw = float(torch.rand((), generator=round.generator("SignGuard"), dtype=torch.float64))
        blocks.append(block_of(round.updates.shape[1], share=0.3, draw=draw))
        given.append((round.updates.double().numpy(), blocks[-1]))
    expected = reference.signguard(given, feature)
    for (_, aggregate), update in zip(recorder.ended, expected, strict=True):
        torch.testing.assert_close(aggregate.update.double(), torch.tensor(update), rtol=1e-4, atol=1e-6)
    assert len({block.start for block in blocks}) > 1
    assert {block.stop - block.start for block in blocks} == {int(0.3 * len(expected[0]))}


def test_blocks_reach_from_end_to_end():
    assert block_of(10, share=0.29, draw=0.0) == slice(0, 2)
    assert block_of(10, share=0.29, draw=0.9999) == slice(8, 10)
    assert block_of(3, share=0.1, draw=0.5) == slice(1, 2)
    assert block_of(3, share=1.0, draw=0.99) == slice(0, 3)


def test_flame_clusters_models(fit):
    recorder = Recorder()
    fit(FLAME("models", noise=0.0), TrimAttack(0.3), recorder, rounds=2)
    differs = []
    for round, aggregate in recorder.ended:
        updates, parameters = round.updates.double().numpy(), round.parameters.double().numpy()
        kept = reference.majority(updates + parameters)
        assert (aggregate.judgement.weights > 0).tolist() == kept.tolist()
        differs.append((kept != reference.majority(updates)).any())
        expected = reference.mean_of(reference.shortened(updates, np.median(np.linalg.norm(updates, axis=1))), kept)
        torch.testing.assert_close(aggregate.update.double(), torch.tensor(expected), rtol=1e-4, atol=1e-6)
    assert any(differs)
