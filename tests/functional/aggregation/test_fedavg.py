import pytest
import reference
import torch

from flt import functional as F


def test_worked_by_hand():
    updates = torch.tensor([[1.0, 0.0], [5.0, -4.0]])
    # N = 4, weights 3/4 and 1/4
    torch.testing.assert_close(F.fedavg(updates, torch.tensor([3, 1])), torch.tensor([2.0, -1.0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("counts", [[600, 1, 37], [1, 1, 1, 1], [5]])
def test_agrees_with_reference_for_unequal_counts(counts, dtype):
    updates = torch.tensor(reference.sample_updates(len(counts), 6, seed=0)[0], dtype=dtype)
    expected = torch.tensor(reference.fedavg(updates.double().numpy(), counts), dtype=dtype)
    torch.testing.assert_close(F.fedavg(updates, torch.tensor(counts)), expected)  # torch's defaults for the dtype


def test_clients_and_counts_move_together():
    updates, counts = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([10, 20, 70])
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(F.fedavg(updates[order], counts[order]), F.fedavg(updates, counts))


def test_client_without_examples_has_no_influence():
    updates = torch.tensor([[1.0, 2.0], [1000.0, 1000.0]])
    torch.testing.assert_close(F.fedavg(updates, torch.tensor([8, 0])), updates[0])


def test_huge_counts_do_not_overflow():
    counts = torch.tensor([2_000_000_000, 2_000_000_000], dtype=torch.int32)
    torch.testing.assert_close(F.fedavg(torch.tensor([[1.0], [3.0]]), counts), torch.tensor([2.0]))
