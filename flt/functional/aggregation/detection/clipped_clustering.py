"""ClippedClustering: updates shortened to the median length so far; of two clusters by angle the larger one's mean."""

import torch
from torch import Tensor

from flt.functional.aggregation.detection.linkage import average_linkage_halves
from flt.functional.choice import check_some
from flt.functional.distances import shortening
from flt.functional.gram import Gram
from flt.functional.rows import Rows

NO_ANGLE = 2.0


def clipped_clustering(updates: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Mean of the larger of two clusters by cosine distance, no update longer than the median length so far.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        lengths: Lengths of the updates of earlier rounds, shape ``[any]``; None in the first round.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are no updates.

    Reference:
        Li, Ngai and Voigt, An Experimental Study of Byzantine-Robust Aggregation Schemes in Federated Learning, IEEE
        Transactions on Big Data 2023.

    Example:
        >>> clipped_clustering(torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 9.0]]))
        tensor([2., 0.])
    """
    check_some(updates)
    rows = Rows(updates)
    seen = sorted_in(torch.zeros(0) if lengths is None else lengths.sort().values, rows.gram.norms)
    return rows.mean(larger_cluster(rows.gram), shortening(rows.gram.norms, middle(seen)))


def larger_cluster(gram: Gram) -> Tensor:
    """The larger of two clusters of average linkage by cosine distance, boolean of shape ``[num_clients]``.

    A zero update is as far from any other as one that points the opposite way.
    """
    is_zero = gram.norms == 0
    distances = (1.0 - gram.cosines).masked_fill(is_zero[:, None] | is_zero[None, :], NO_ANGLE)
    return average_linkage_halves(distances, gram.norms)


def sorted_in(ordered: Tensor, more: Tensor) -> Tensor:
    """Numbers in ascending order with ``more`` of them put where they belong, float64, shape ``[any]``."""
    ordered, more = ordered.to(more), more.sort().values
    places = torch.searchsorted(ordered, more) + torch.arange(len(more), device=more.device)
    found = more.new_empty(len(ordered) + len(more))
    is_old = torch.ones(len(found), dtype=torch.bool, device=more.device).index_fill_(0, places, False)
    found[places], found[is_old] = more, ordered
    return found


def middle(ordered: Tensor) -> Tensor:
    """The median of numbers in ascending order, a scalar; of an even count the mean of the two in the middle."""
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
