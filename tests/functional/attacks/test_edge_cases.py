import numpy as np
import pytest
import torch

from flt.functional import least_confident


def reference(features, labels, source, share):
    """Example by example and class by class, from the formula."""
    classes = sorted(set(labels))
    means = {c: np.mean([x for x, label in zip(features, labels, strict=True) if label == c], axis=0) for c in classes}
    variances = np.mean([(x - means[label]) ** 2 for x, label in zip(features, labels, strict=True)], axis=0)
    confidences = {}
    for row, label in enumerate(labels):
        if label != source:
            continue
        odds = {c: np.log(labels.count(c)) - np.sum((features[row] - means[c]) ** 2 / variances) / 2 for c in classes}
        confidences[row] = odds[source] - np.logaddexp.reduce(list(odds.values()))
    count = max(1, round(share * len(confidences)))
    return sorted(sorted(confidences, key=confidences.get)[:count])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_formula(share, seed):
    draw = np.random.default_rng(seed)
    labels = draw.integers(4, size=60)
    features = draw.normal(size=(60, 6)) * [1, 2, 3, 1, 1, 0.5] + labels[:, None]
    found = least_confident(torch.tensor(features), torch.tensor(labels), 2, share=share)
    assert found.nonzero().flatten().tolist() == reference(features, labels.tolist(), 2, share)


def test_images_constant_features_and_absent_classes():
    features = torch.zeros(9, 1, 2, 2)
    features[:, 0, 0, 0] = torch.tensor([0, 1, 2, 5, 7, 8, 9, 9.5, 10])
    labels = torch.tensor([0, 0, 0, 0, 3, 3, 3, 3, 3])
    assert least_confident(features, labels, 0, share=0.25).nonzero().flatten().tolist() == [3]
    assert least_confident(features, labels, 3, share=0.4).nonzero().flatten().tolist() == [4, 5]
    for missing in (1, 7):
        assert not least_confident(features, labels, missing, share=1.0).any()
    equal = least_confident(torch.ones(4, 2), torch.tensor([0, 0, 0, 0]), 0, share=0.5)
    assert equal.tolist() == [True, True, False, False]  # the first of those that are equal
    assert not least_confident(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), 0, share=1.0).any()
