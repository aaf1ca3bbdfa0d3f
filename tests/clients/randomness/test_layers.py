"""Numbers of random layers: what is drawn, and that every way of training draws the same."""

import pytest
import torch
from networks import NETWORKS, OF_TOKENS, RANDOM
from tiny import NUM_CLASSES, NUM_FEATURES, draw_batches
from torch import nn
from torch.nn import functional as F

from flt.clients.randomness.layers import RandomLayers
from flt.clients.randomness.state import random_state
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining

SIZES = [9, 3, 0, 20, 8, 8]


def sample(local_steps: int, name: str = ""):
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(sum(SIZES), NUM_FEATURES, generator=draw)
    batches = draw_batches(
        (features.abs() * 2).long() % 7 if name in OF_TOKENS else features,
        torch.randint(NUM_CLASSES, (sum(SIZES),), generator=draw),
        torch.tensor([0, *SIZES[:-1]]).cumsum(0),
        torch.tensor(SIZES),
        local_steps=local_steps,
        batch_size=8,
        generator=draw,
    )
    sizes = batches.sizes.clone()
    if local_steps > 1:  # as passes over one's own examples end
        sizes[:, -1].clamp_(max=2)
        sizes[4, -1] = 0
    weights = (torch.arange(8) < sizes[..., None]).float()
    seeds = torch.randint(2**62, sizes.shape, generator=draw)
    return batches._replace(sizes=sizes, weights=weights, seeds=seeds)


@pytest.mark.parametrize(
    ("name", "precision"),
    [*((name, torch.float32) for name in RANDOM), ("dropout", torch.bfloat16), ("dropout of channels", torch.bfloat16)],
)
def test_every_way_draws_the_same(name: str, precision: torch.dtype) -> None:
    """One by one, in chunks of any size, and by layers in a single step; whoever else takes part, in any order.

    With momentum in several steps, which then go another way.
    """
    torch.manual_seed(3)
    network, order, before = NETWORKS[name][0](), torch.tensor([5, 3, 0, 1]), random_state()
    close = {"rtol": 1e-4, "atol": 1e-6} if precision is torch.float32 else {"rtol": 0.1, "atol": 0.02}
    for local_steps in (1, 3):
        batches, ways = sample(local_steps, name), (1, 4, "auto")
        settings = LocalSettings("mean", momentum=0.0 if local_steps == 1 else 0.9)
        with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
            trained = [LocalTraining(network, settings, way)(batches, client_lr=0.1) for way in ways]
            others = LocalTraining(network, settings, 1)(batches.of(order), client_lr=0.1)
        for found in trained[1:]:
            torch.testing.assert_close(found, trained[0], **close)
        assert all(map(torch.equal, others, (each[order] for each in trained[0])))
        again = batches._replace(seeds=batches.seeds + 1)
        assert not torch.allclose(LocalTraining(network)(again, client_lr=0.1).updates, trained[0].updates, **close)
    assert random_state() == before


DRAWS = {
    "dropout": (lambda ones: F.dropout(ones, 0.3), 0.7, 1 / 0.7),
    "dropout of GPUs": (lambda ones: torch.native_dropout(ones, 0.3, True)[0], 0.7, 1 / 0.7),
    "dropout of channels": (lambda ones: F.dropout2d(ones, 0.3), 0.7, 1 / 0.7),
    "all": (lambda ones: torch.native_dropout(ones, 1.0, True)[0], 0.0, 0.0),
    "coins": (lambda ones: torch.bernoulli(0.2 * ones), 0.2, 1.0),
    "coins of another": (lambda ones: torch.empty_like(ones).bernoulli_(0.2 * ones), 0.2, 1.0),
    "numbers": (lambda ones: torch.rand_like(ones) * 2, 1.0, None),
    "numbers in place": (lambda ones: ones.clone().uniform_(0, 2), 1.0, None),
    "permutation": (lambda ones: torch.randperm(ones.numel()).view_as(ones) / 600, 0.999, None),
    "slopes": (lambda ones: -F.rrelu(-ones, 0.5, 1.5, training=True), 1.0, None),
    "slopes in place": (lambda ones: -F.rrelu_(-ones, 0.5, 1.5, training=True), 1.0, None),
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_drawn(name: str) -> None:
    """As likely as torch has it, anew in each call, in the order of a contiguous tensor, and from no global state."""
    draw, share, value = DRAWS[name]
    ones, before = torch.ones(20, 15, 2, 2), random_state()
    with RandomLayers.alone(1):
        first, second = draw(ones), draw(ones)
    with RandomLayers.alone(1):
        again = draw(ones.contiguous(memory_format=torch.channels_last))
    with RandomLayers.alone(2):
        other = draw(ones)
    assert random_state() == before
    assert torch.equal(first, again)
    for each in (first, second, other):
        assert float((each != 0).float().mean()) == pytest.approx(share, abs=0.08)
        assert value is None or torch.allclose(each[each != 0], torch.tensor(value))
        assert value == 0.0 or float(each.mean()) == pytest.approx(share * (value or 1), abs=0.12)
    assert value == 0.0 or not (torch.equal(first, second) or torch.equal(first, other))


def test_masks_of_both_kinds_of_dropout_are_the_same() -> None:
    with RandomLayers.alone(1):
        one = F.dropout(torch.ones(50), 0.3)
    with RandomLayers.alone(1):
        other = torch.native_dropout(torch.ones(50), 0.3, True)[0]
    torch.testing.assert_close(one, other)


def test_attention_is_not_fused_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    layers = RandomLayers.alone(1)
    monkeypatch.undo()
    with layers:
        assert not torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()


def test_what_is_left_to_torch() -> None:
    """A generator of the caller's, and layers that have nothing to draw."""
    with RandomLayers.alone(1) as layers:
        own = torch.rand(3, generator=torch.Generator().manual_seed(5))
        nn.functional.scaled_dot_product_attention(*torch.ones(3, 1, 1, 4, 8).unbind())
    assert torch.equal(own, torch.rand(3, generator=torch.Generator().manual_seed(5)))
    assert layers.num_drawn == 0
