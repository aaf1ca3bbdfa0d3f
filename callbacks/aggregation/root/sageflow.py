"""Sageflow as a callback."""

import torch
from torch import Tensor

from callbacks.aggregation.root.measured import measured
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Federation, Round
from flt.functional.aggregation.root.measures import mean_entropies, mean_losses
from flt.functional.aggregation.root.sageflow import sageflow_weights


class Sageflow(Aggregation):
    """Mean of the updates that predict the root dataset with confidence, weighted by how small their losses are.

    The score of a client is the mean entropy of its predictions, from 0 to the logarithm of the number of classes; less
    is better.

    Args:
        max_entropy: Mean entropy from which on an update is dropped (E_th), above 0.
        exponent: How much the loss counts (delta): updates are weighted by the size of the client's data, divided by
            the loss to this power.

    Raises:
        InputError: If a setting is out of range.

    Reading:
        Both settings depend on the data, and the paper's have not been read: they have no default. The public data of
        the paper are the root dataset, and no client is late.

    Reference:
        Park, Han, Choi and Moon, Sageflow: Robust Federated Learning against Both Stragglers and Adversaries, NeurIPS
        2021.
    """

    needs_root_data = True

    def __init__(self, max_entropy: float, exponent: float) -> None:
        if not max_entropy > 0:
            raise InputError(f"aggregation.max_entropy={max_entropy} must be above 0, or every update is dropped")
        if not 0 <= exponent < float("inf"):
            raise InputError(f"aggregation.exponent={exponent} must be a finite number of 0 or more; 0 ignores losses")
        self.max_entropy, self.exponent = max_entropy, exponent

    def describe(self, federation: Federation) -> str:
        """The rule and its settings."""
        return f"{self.label}, max_entropy {self.max_entropy:g}, exponent {self.exponent:g}"

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.sageflow`."""
        losses, entropies = measured(round, _both).unbind(dim=1)
        weights = sageflow_weights(
            losses, entropies, round.num_examples, max_entropy=self.max_entropy, exponent=self.exponent
        )
        return Aggregate.mean_of(round, weights, scores=entropies)


def _both(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([mean_losses(logits, labels), mean_entropies(logits)], dim=1)
