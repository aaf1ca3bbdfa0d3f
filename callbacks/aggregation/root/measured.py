"""What the root dataset says of the models that updates lead to."""

from collections.abc import Callable

import torch
from torch import Tensor

from flt.federation import Round

NUM_PARAMS = 2**22
"""Numbers of updates that are written down at once."""

Measure = Callable[[Tensor, Tensor], Tensor]
"""From class scores, shape ``[num_models, num_examples, num_classes]``, and labels to ``[num_models, ...]``."""


def measured(round: Round, measure: Measure, weights: Tensor | None = None) -> Tensor:
    """A measure of each model ``w + update`` on the root dataset, shape ``[num_updates, ...]``.

    Args:
        round: The round.
        measure: What is taken of the models' class scores.
        weights: Means of the updates in their place, a row of weights each, ``[num_means, num_clients]``.
    """
    server, rows, statistics = round.require_server(), round.rows, round.statistics
    if weights is not None:
        rows, statistics = rows.mixed(weights), weights.to(statistics.dtype) @ statistics
    size = max(1, NUM_PARAMS // max(1, rows.num_params))
    parts = [slice(start, start + size) for start in range(0, len(rows), size)]
    found = [measure(server.logits(rows.row(part), statistics[part]), server.root.labels) for part in parts]
    return found[0] if len(found) == 1 else torch.cat(found)


def measured_at_start(round: Round, measure: Measure) -> Tensor:
    """The same of the global model as it is, a scalar."""
    server = round.require_server()
    return measure(server.logits(torch.zeros_like(round.parameters)[None]), server.root.labels)[0]
