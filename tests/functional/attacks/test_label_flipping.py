import torch

from flt import functional as F


def test_flipped_labels_by_hand():
    """M-1-l, not zero for everybody."""
    assert F.flip_labels(torch.tensor([0, 1, 2, 9, 5]), 10).tolist() == [9, 8, 7, 0, 4]


def test_original_labels_stay():
    labels = torch.tensor([0, 1, 2])
    F.flip_labels(labels, 3).add_(7)
    assert labels.tolist() == [0, 1, 2]
