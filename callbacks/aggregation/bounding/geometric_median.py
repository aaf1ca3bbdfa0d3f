"""Geometric medians as callbacks."""

from torch import Tensor

from callbacks.aggregation.fedavg import equal_shares, shares_of
from flt.federation import ClientWeights, Round
from flt.functional.aggregation.bounding.geometric_median import Start, Weiszfeld
from flt.functional.guarantees.robustness import kappa_of_median


class GeometricMedian(ClientWeights):
    """The point with the smallest sum of distances to the updates, all clients counting alike.

    Args:
        num_steps: Most steps of the Weiszfeld iteration (T).
        smoothing: Distances below this one count as this one (nu). Where all are, the rule is the mean: keep it far
            below the smallest distance to expect.
        relative: Whether ``smoothing`` is in units of the median distance of the updates.
        tolerance: The iteration ends once the typical change of a distance is no more than this part of the typical
            distance.
        start: Where it starts, "mean" or "zero".

    Raises:
        InputError: If a setting is out of range.

    Reference:
        Pillutla, Kakade and Harchaoui, Robust Aggregation for Federated Learning, IEEE TSP 2022.
    """

    def __init__(
        self,
        num_steps: int = 100,
        smoothing: float = 1e-6,
        relative: bool = False,
        tolerance: float = 1e-10,
        start: Start = "mean",
    ) -> None:
        self.iteration = Weiszfeld(num_steps, smoothing, relative, tolerance, start)
        self.iteration.check("aggregation.")

    def weigh(self, round: Round) -> Tensor:
        """See `flt.functional.geometric_median`."""
        return self.iteration.weights(round.rows.gram, equal_shares(round))

    def kappa_bound(self, round: Round) -> float | None:
        """See `flt.functional.kappa_of_median`: that of the point to which the iteration goes."""
        return kappa_of_median(len(round), int(round.malicious.sum()))


class RFA(ClientWeights):
    """A few steps from the weighted mean towards the geometric median, clients counting by the size of their data.

    Args:
        num_steps: Steps of the Weiszfeld iteration (T), three in the paper.
        smoothing: Distances below this one count as this one (nu).
        relative: Whether ``smoothing`` is in units of the median distance of the updates.
        tolerance: The iteration ends earlier once the typical change of a distance is no more than this part of the
            typical distance.
        start: Where it starts, "mean" as in the paper or "zero".

    Raises:
        InputError: If a setting is out of range.

    Reference:
        Pillutla, Kakade and Harchaoui, Robust Aggregation for Federated Learning, IEEE TSP 2022.

    Reading: the authors' code ends by the sum of distances; one huge update would end it there at once.
    """

    def __init__(
        self,
        num_steps: int = 3,
        smoothing: float = 1e-6,
        relative: bool = False,
        tolerance: float = 1e-6,
        start: Start = "mean",
    ) -> None:
        self.iteration = Weiszfeld(num_steps, smoothing, relative, tolerance, start)
        self.iteration.check("aggregation.")

    def weigh(self, round: Round) -> Tensor:
        """See `flt.functional.geometric_median`."""
        return self.iteration.weights(round.rows.gram, shares_of(round))
