"""FedGreed as a callback."""

from callbacks.aggregation.root.measured import measured
from flt.federation import Aggregate, Aggregation, Round
from flt.functional.aggregation.root.fedgreed import fedgreed_weights
from flt.functional.aggregation.root.measures import mean_losses


class FedGreed(Aggregation):
    """Mean of the updates with the least losses on the root dataset, as many as do not raise the loss of the mean.

    The score of a client is the loss of the global model plus its update; less is better.

    Reading:
        Every update in the mean counts the same; the authors' code weighs by the clients' own word for the size of
        their data.

    Reference:
        Kritharakis et al., FedGreed: A Byzantine-Robust Loss-Based Aggregation Method for Federated Learning, FLTA
        2025.
    """

    needs_root_data = True

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.fedgreed`."""
        losses = measured(round, mean_losses)
        weights = fedgreed_weights(losses, lambda means: measured(round, mean_losses, means))
        return Aggregate.mean_of(round, weights, scores=losses)
