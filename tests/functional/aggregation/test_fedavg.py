import torch

from flt import functional as F


def test_huge_counts_do_not_overflow():
    counts = torch.tensor([2_000_000_000, 2_000_000_000], dtype=torch.int32)
    torch.testing.assert_close(F.fedavg(torch.tensor([[1.0], [3.0]]), counts), torch.tensor([2.0]))
