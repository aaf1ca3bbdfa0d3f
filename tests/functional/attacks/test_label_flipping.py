import pytest
import torch

from flt import functional as F


def test_flipped_labels_by_hand():
    """M-1-l, not zero for everybody."""
    assert F.flip_labels(torch.tensor([0, 1, 2, 9, 5]), 10).tolist() == [9, 8, 7, 0, 4]


@pytest.mark.parametrize("num_classes", [2, 6, 8, 10])
def test_flipping_twice_changes_nothing(num_classes):
    labels = torch.arange(num_classes)
    flipped = F.flip_labels(labels, num_classes)
    assert flipped.dtype == labels.dtype
    assert sorted(flipped.tolist()) == labels.tolist()
    assert F.flip_labels(flipped, num_classes).tolist() == labels.tolist()


def test_original_labels_stay():
    labels = torch.tensor([0, 1, 2])
    F.flip_labels(labels, 3).add_(7)
    assert labels.tolist() == [0, 1, 2]


def test_middle_class_of_an_odd_number_and_shape_stay():
    labels = torch.tensor([[0, 1, 2], [2, 1, 0]])
    assert F.flip_labels(labels, 3).tolist() == [[2, 1, 0], [0, 1, 2]]
