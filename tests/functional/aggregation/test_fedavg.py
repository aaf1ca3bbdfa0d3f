import torch

from flt import functional as F


def test_worked_by_hand():
    updates = torch.tensor([[1.0, 0.0], [5.0, -4.0]])
    # N = 4, weights 3/4 and 1/4
    torch.testing.assert_close(F.fedavg(updates, torch.tensor([3, 1])), torch.tensor([2.0, -1.0]))


def test_client_without_examples_has_no_influence():
    updates = torch.tensor([[1.0, 2.0], [1000.0, 1000.0]])
    torch.testing.assert_close(F.fedavg(updates, torch.tensor([8, 0])), updates[0])


def test_huge_counts_do_not_overflow():
    counts = torch.tensor([2_000_000_000, 2_000_000_000], dtype=torch.int32)
    torch.testing.assert_close(F.fedavg(torch.tensor([[1.0], [3.0]]), counts), torch.tensor([2.0]))
