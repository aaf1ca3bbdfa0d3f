import numpy as np
import pytest
import torch

from flt import functional as F
from flt.errors import InputError


def reference(labels, num_classes, variant, mapping, target):
    """Label by label, as section 2.11 of the attacks' specification has it; not for random ones."""
    flipped = []
    for label in labels:
        if variant == "static":
            new = num_classes - 1 - label
        elif variant == "cyclic":
            new = label + 1 if label + 1 < num_classes else 0
        elif variant == "all_to_one":
            new = target
        else:
            new = label
            pairs = list(mapping.items()) if mapping else []
            if variant == "pairwise" and not pairs:
                pairs = [(first, first + 1) for first in range(0, num_classes, 2) if first + 1 < num_classes]
            for old, other in pairs:
                if label == old:
                    new = other
                elif variant == "pairwise" and label == other:
                    new = old
        flipped.append(new)
    return np.array(flipped)


@pytest.mark.parametrize("num_classes", [2, 3, 10])
@pytest.mark.parametrize("variant", ["static", "targeted", "pairwise", "cyclic", "all_to_one"])
@pytest.mark.parametrize("mapping", [None, {1: 0}])
def test_each_variant_against_a_loop(num_classes, variant, mapping):
    labels = torch.arange(num_classes).repeat(2)
    flipped = F.flip_labels(labels, num_classes, variant=variant, mapping=mapping, target=1)
    assert flipped.tolist() == reference(labels.tolist(), num_classes, variant, mapping, 1).tolist()
    assert labels.tolist() == list(range(num_classes)) * 2


def test_random_labels_are_each_other_class_alike():
    labels = torch.arange(3).repeat(3000)
    flipped = F.flip_labels(labels, 3, variant="random", generator=torch.Generator().manual_seed(0))
    counts = (3 * labels + flipped).bincount(minlength=9).view(3, 3)
    assert counts.diagonal().tolist() == [0, 0, 0]
    assert (counts[~torch.eye(3, dtype=torch.bool)] - 1500).abs().max() < 150


def test_a_new_tensor():
    labels = torch.tensor([0, 1])
    for variant in ("static", "targeted", "random", "all_to_one"):
        F.flip_labels(labels, 3, variant=variant).add_(7)
    assert labels.tolist() == [0, 1]


def test_mistakes():
    with pytest.raises(InputError, match="variant='mirror': choose one of static"):
        F.flip_labels(torch.tensor([0]), 2, variant="mirror")
    with pytest.raises(InputError, match=r"mapping=\{0: 1, 1: 2\}: with pairwise no class can be in two pairs"):
        F.flip_labels(torch.tensor([0]), 3, variant="pairwise", mapping={0: 1, 1: 2})
    assert F.flip_labels(torch.tensor([0, 1]), 2, variant="pairwise", mapping={0: 1, 1: 0}).tolist() == [1, 0]
