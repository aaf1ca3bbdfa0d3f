"""FedAvg as a callback."""

from flt.functional import fedavg
from flt.hooks import Aggregate, Aggregation, Round


class FedAvg(Aggregation):
    """Mean of the updates weighted by the size of each client's data.

    Reference:
        McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017.
    """

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.fedavg`."""
        num_examples = round.num_examples.to(round.updates.device)
        return Aggregate(fedavg(round.updates, num_examples), statistics=fedavg(round.statistics, num_examples))
