import pytest
import torch
from tiny import draw_batches

from flt.clients import draws as row_draws
from flt.clients.batches import whole
from flt.clients.draws import PairedRowDraws, RowDraws

SIZES = torch.tensor([3, 0, 10, 20])
STARTS = torch.tensor([0, 3, 3, 13])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(starts=STARTS, sizes=SIZES, local_steps=1, batch_size=8, seed=0, num_examples=33):
    """Batches of examples whose only feature and label are their own row number."""
    rows = torch.arange(num_examples)
    return draw_batches(
        rows[:, None].float(),
        rows,
        starts,
        sizes,
        local_steps=local_steps,
        batch_size=batch_size,
        generator=seeded(seed),
    )


def present(batches, client, step=0):
    """The row numbers in one batch, without the padding."""
    return batches.labels[client, step][batches.weights[client, step] == 1].tolist()


def test_a_batch_holds_distinct_examples_of_its_client():
    batches = draw(local_steps=50)
    assert batches.features.shape == (4, 50, 8, 1)
    assert batches.labels.shape == batches.weights.shape == (4, 50, 8)
    assert torch.equal(batches.features[..., 0], batches.labels.float())
    assert set(batches.weights.unique().tolist()) == {0.0, 1.0}
    for client, (start, size) in enumerate(zip(STARTS.tolist(), SIZES.tolist(), strict=True)):
        for step in range(50):
            rows = present(batches, client, step)
            assert len(rows) == len(set(rows)) == min(size, 8)
            assert all(start <= row < start + size for row in rows)


@pytest.mark.parametrize("neighbour", [0, 40])
def test_every_example_and_every_pair_are_equally_likely(neighbour):
    """Whatever the size of the largest client; bounds of 5 standard deviations."""
    num_draws, size, batch = 6000, 7, 3
    rows = torch.arange(size + neighbour)
    batches = draw_batches(
        rows[:, None].float(),
        rows,
        torch.tensor([0, size]),
        torch.tensor([size, neighbour]),
        local_steps=num_draws,
        batch_size=batch,
        generator=seeded(1),
    )
    drawn = torch.zeros(num_draws, size).scatter_(1, batches.labels[0, :, :batch], 1.0)
    assert (drawn.sum(dim=1) == batch).all()
    together = drawn.T @ drawn
    for counts, chance in (
        (together.diagonal(), batch / size),
        (together[~torch.eye(size, dtype=torch.bool)], batch * (batch - 1) / (size * (size - 1))),
    ):
        deviation = (num_draws * chance * (1 - chance)) ** 0.5
        assert (counts - num_draws * chance).abs().max() < 5 * deviation


def test_steps_and_clients_are_drawn_independently():
    twice = draw(torch.tensor([0, 0]), torch.tensor([20, 20]), local_steps=2000, batch_size=10)
    chosen = torch.zeros(2, 2000, 20).scatter_(2, twice.labels, 1.0)
    for one, other in ((chosen[0], chosen[1]), (chosen[0, :-1], chosen[0, 1:])):
        # Of ten examples in one batch, five are expected in an independent other one.
        assert float((one * other).sum(dim=1).mean()) == pytest.approx(5.0, abs=0.15)


def test_whole_is_every_example_in_every_step():
    features, labels = torch.randn(5, 4, generator=seeded()), torch.arange(5)
    batches = whole(features, labels, local_steps=3)
    assert batches.features.shape == (1, 3, 5, 4)
    for step in range(3):
        assert torch.equal(batches.features[0, step], features)
        assert torch.equal(batches.labels[0, step], labels)
    assert batches.weights is None


# Drawn when clients' draws were first paired: a change would change the result of every run.
DRAWN = {
    "equal": ([5, 9, 6], 4, [[0, 1, 3, 4], [6, 8, 11, 12], [15, 16, 17, 19]]),
    "short": ([5, 2, 6], 4, [[0, 1, 3, 4], [-1, -1, 5, 6], [7, 8, 10, 12]]),
    "narrow": ([3, 0, 2], 8, [[0, 1, 2], [-1, -1, -1], [-1, 3, 4]]),
    "large": (
        [40, 300, 70],
        6,
        [[1, 13, 17, 19, 29, 39], [58, 99, 106, 168, 191, 202], [353, 372, 376, 394, 405, 408]],
    ),
}


def starts_of(sizes):
    return sizes.cumsum(0) - sizes


@pytest.mark.parametrize("block", [1, 2**24], ids=["a client a block", "one block"])
@pytest.mark.parametrize(("sizes", "batch_size", "expected"), DRAWN.values(), ids=DRAWN)
def test_a_seed_draws_what_it_always_drew(sizes, batch_size, expected, block, monkeypatch):
    monkeypatch.setattr(row_draws, "BLOCK", block)
    sizes = torch.tensor(sizes)
    settings = {"local_steps": 2, "batch_size": batch_size}
    rows = RowDraws(starts_of(sizes), sizes, **settings)(seeded(7))
    assert rows[:, 0].sort().values.tolist() == expected  # what order topk leaves them in is up to PyTorch
    assert torch.equal(PairedRowDraws(starts_of(sizes), sizes, sizes, **settings)(seeded(7)), rows)


ATTACKED = {
    "the largest grows": ([6, 30, 12, 9], [6, 60, 12, 9]),
    "a small one becomes the largest": ([6, 30, 12, 9], [48, 30, 12, 9]),
    "several grow": ([6, 30, 12, 9], [12, 60, 12, 9]),
    "one was too small for a batch": ([2, 30, 12, 9], [40, 30, 12, 9]),
    "a benign one is too small for a batch": ([6, 30, 2, 9], [6, 60, 2, 9]),
    "all were too small for a batch": ([2, 3, 1, 0], [2, 30, 1, 0]),
    "one with nothing gets something": ([6, 0, 12, 9], [6, 2, 12, 9]),
    "one loses examples": ([6, 30, 12, 9], [6, 3, 12, 9]),
    "one loses all": ([6, 30, 12, 9], [6, 0, 12, 9]),
}


@pytest.mark.parametrize("block", [70, 2**24], ids=["few clients a block", "one block"])
@pytest.mark.parametrize(("before", "after"), ATTACKED.values(), ids=ATTACKED)
def test_who_has_as_many_examples_as_before_draws_the_same(before, after, block, monkeypatch):
    monkeypatch.setattr(row_draws, "BLOCK", block)
    before, after = torch.tensor(before), torch.tensor(after)
    settings = {"local_steps": 3, "batch_size": 4}
    clean = RowDraws(starts_of(before), before, **settings)(seeded())
    draws = PairedRowDraws(starts_of(after), after, before, **settings)
    attacked = draws(seeded())
    assert draws.batch_size == clean.shape[2]
    assert attacked.shape[2] == max(clean.shape[2], min(4, int(after.max())))
    own = torch.where(clean < 0, -1, clean - starts_of(before)[:, None, None])
    own_attacked = torch.where(attacked < 0, -1, attacked - starts_of(after)[:, None, None])
    same = before == after
    assert torch.equal(own_attacked[same][:, :, : clean.shape[2]], own[same])
    assert (own_attacked[same][:, :, clean.shape[2] :] == -1).all()
    for size, steps in zip(after[~same].tolist(), own_attacked[~same].tolist(), strict=True):
        for rows in steps:
            count = min(size, 4)
            assert len(set(rows[:count])) == count
            assert all(0 <= row < size for row in rows[:count])
            assert set(rows[count:]) <= {-1}  # padding comes last
