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
