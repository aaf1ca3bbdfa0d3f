import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flt.data import sample_root
from flt.errors import InputError

LABELS = torch.arange(600) % 6


def draw(seed: int = 0, labels: torch.Tensor = LABELS, **changes) -> torch.Tensor:
    arguments = {"root_size": 60, "num_classes": 6, "bias_probability": None, "biased_class": 1} | changes
    return sample_root(labels, **arguments, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 120), st.one_of(st.none(), st.floats(0, 0.8)), st.integers(0, 5), st.integers(0, 99))
def test_distinct_sorted_and_of_the_size_asked_for(root_size, bias, biased_class, seed):
    root = draw(seed, root_size=root_size, bias_probability=bias, biased_class=biased_class)
    assert root.dtype == torch.int64
    assert root.tolist() == sorted(set(root.tolist()))
    assert len(root) == root_size
    assert root[0] >= 0
    assert root[-1] < len(LABELS)
    if bias is not None:
        assert int((LABELS[root] == biased_class).sum()) == round(root_size * bias)


def test_case_one_is_uniform_over_all_examples():
    counts = torch.stack([draw(seed, root_size=100) for seed in range(300)]).flatten().bincount(minlength=600)
    assert abs(counts.float().mean().item() - 50) < 1e-4
    assert counts.min() > 20
    assert counts.max() < 85


def test_case_two_spreads_the_rest_over_the_other_classes():
    roots = torch.cat([draw(seed, bias_probability=0.5) for seed in range(100)])
    share = LABELS[roots].bincount(minlength=6) / len(roots)
    assert share[1] == 0.5
    assert (share[[0, 2, 3, 4, 5]] - 0.1).abs().max() < 0.02


@pytest.mark.parametrize(("bias", "classes"), [(1.0, {1}), (0.0, {0, 2, 3, 4, 5})])
def test_extreme_biases(bias: float, classes: set[int]):
    assert set(LABELS[draw(bias_probability=bias)].tolist()) == classes


def test_the_seed_decides():
    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root_size": 0}, "root_size=0: the server needs a root dataset of 1 example or more"),
        ({"root_size": 601}, "root_size=601 exceeds the 600 examples that it is drawn from"),
        ({"bias_probability": 1.5}, "bias_probability=1.5: give a fraction from 0 to 1"),
        ({"biased_class": 6}, "biased_class=6: choose a class from 0 to 5"),
        ({"root_size": 200, "bias_probability": 1.0}, "needs 200 examples of class 1, but there are 100"),
        ({"root_size": 599, "bias_probability": 0.0}, "needs 599 examples of the other classes, but there are 500"),
    ],
)
def test_errors(changes: dict, message: str):
    with pytest.raises(InputError, match=message):
        draw(**changes)
