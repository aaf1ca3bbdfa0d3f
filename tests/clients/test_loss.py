"""Cross-entropy against torch's own."""

import pytest
import torch
from torch.nn import functional as F

from flt.clients.loss import cross_entropy, example_factors, mean_loss


@pytest.mark.parametrize("shape", [(7, 4), (3, 5, 2), (2, 3, 5, 10), (1, 1)])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_agrees_with_autograd(shape, scale):
    generator = torch.Generator().manual_seed(0)
    scores = (torch.randn(*shape, generator=generator) * scale).requires_grad_()
    labels = torch.randint(shape[-1], shape[:-1], generator=generator)
    expected = F.cross_entropy(scores.flatten(0, -2), labels.flatten(), reduction="none")
    expected.sum().backward()
    slope, losses = cross_entropy(scores.detach(), labels)
    torch.testing.assert_close(losses.flatten(), expected.detach())
    torch.testing.assert_close(slope, scores.grad)


def test_scores_of_low_precision_are_judged_in_float32():
    slope, losses = cross_entropy(torch.randn(4, 3).bfloat16(), torch.tensor([0, 1, 2, 0]))
    assert slope.dtype == losses.dtype == torch.float32


WEIGHTS = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])


def test_factors_of_padded_batches():
    assert torch.equal(example_factors(WEIGHTS, "sum", batch_size=4)[..., 0], WEIGHTS)
    sums = example_factors(WEIGHTS, "mean", batch_size=4).sum(dim=(1, 2))
    torch.testing.assert_close(sums, torch.tensor([1.0, 1.0, 0.0]))
    losses = torch.tensor([[1.0, 2.0, 6.0, 100.0]] * 3)
    assert mean_loss(losses, WEIGHTS).tolist() == [3.0, 1.0, 0.0]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_no_weights_are_weights_of_one(reduction):
    ones, losses = torch.ones(3, 4), torch.arange(12.0).view(3, 4)
    factors = example_factors(ones, reduction, batch_size=4)
    assert (factors == example_factors(None, reduction, batch_size=4)).all()
    torch.testing.assert_close(mean_loss(losses, None), mean_loss(losses, ones))
