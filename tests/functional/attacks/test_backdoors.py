"""What backdoors compute, beside the same in NumPy."""

import numpy as np
import pytest
import torch

from flt import functional as F


def expected_layers(benign, malicious, layers, success, share):
    """The search of the paper, layer by layer."""

    def put(into, source, chosen):
        model = into.copy()
        for layer in chosen:
            model[layers[layer]] = source[layers[layer]]
        return success(model)

    whole = success(malicious)
    drops = [whole - put(malicious, benign, [layer]) for layer in range(len(layers))]
    order = [int(k) for k in np.argsort(-np.array(drops), kind="stable")]
    for count in range(1, len(order) + 1):
        if put(benign, malicious, order[:count]) >= share * whole:
            break
    return sorted(order[:count])


@pytest.mark.parametrize("share", [0.3, 0.8, 1.0])
def test_critical_layers_are_found_as_in_the_paper(share):
    layers = [slice(0, 3), slice(3, 4), slice(4, 9), slice(9, 11)]
    for seed in range(30):
        draws = np.random.default_rng(seed)
        benign, malicious, weights = draws.normal(size=(3, 11))

        def success(model, weights=weights):
            return float(np.round(1 / (1 + np.exp(-(model * weights).sum())), 1))  # with ties

        def of_each(updates, success=success):
            return torch.tensor([success(update.numpy()) for update in updates])

        chosen = expected_layers(benign, malicious, layers, success, share)
        mask = F.critical_layers(torch.tensor(benign), torch.tensor(malicious), layers, of_each, share=share)
        assert [layer for layer, place in enumerate(layers) if mask[place].all()] == chosen
        assert int(mask.sum()) == sum(place.stop - place.start for place in np.array(layers)[chosen])


def test_a_boost_above_1_leaves_nothing_of_the_mean():
    mask, mean, malicious = torch.tensor([True, False]), torch.tensor([1.0, 1.0]), torch.tensor([[4.0, 4.0]])
    sent = {boost: F.with_critical_layers(mask, mean, malicious, boost=boost) for boost in (0.25, 1.0, 2.0)}
    assert [each.tolist() for each in sent.values()] == [[[1.75, 1.0]], [[4.0, 1.0]], [[8.0, 1.0]]]


def expected_contrast(features, labels, weights, target, target_weight, temperature):
    """The loss as it is written, example by example."""
    rows = [k for k in range(len(labels)) if weights[k]]
    unit = {k: features[k] / np.linalg.norm(features[k]) for k in rows}
    total = 0.0
    for i in rows:
        others = [k for k in rows if k != i]
        same = [k for k in others if labels[k] == labels[i]]
        for p in same:
            shares = [np.exp(unit[i] @ unit[a] / temperature) for a in others]
            loss = -np.log(np.exp(unit[i] @ unit[p] / temperature) / sum(shares))
            total += (target_weight if labels[i] == target else 1.0) * loss / len(same)
    return total / len(rows)


def test_contrastive_loss_is_the_formula_s():
    """Padding included, which has no gradient either."""
    for seed in range(10):
        draws = np.random.default_rng(seed)
        features, labels = draws.normal(size=(9, 4)), draws.integers(0, 3, 9)
        weights = (np.arange(9) < 7).astype(float)
        given = torch.tensor(features, requires_grad=True)
        settings = {"target_class": 1, "target_weight": 3.0, "temperature": 0.5}
        loss = F.supervised_contrastive_loss(given, torch.tensor(labels), torch.tensor(weights), **settings)
        assert loss.item() == pytest.approx(expected_contrast(features, labels, weights, 1, 3.0, 0.5))
        gradient = torch.autograd.grad(loss, given)[0]
        assert gradient.isfinite().all()
        assert not gradient[7:].any()


def test_contrastive_loss_is_in_float32_under_autocast():
    features, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1, 2, 2])
    expected = F.supervised_contrastive_loss(features, labels, torch.ones(6), target_class=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(F.supervised_contrastive_loss(features, labels, torch.ones(6), target_class=1), expected)


def test_contrastive_loss_of_padding_alone_is_0():
    loss = F.supervised_contrastive_loss(torch.zeros(3, 2), torch.zeros(3).long(), torch.zeros(3), target_class=0)
    assert loss.item() == 0
