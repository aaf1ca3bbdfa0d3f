"""Divide-and-conquer as a callback."""

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import check_count
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Round
from flt.functional.aggregation.selection.dnc import check_filter_fraction, dnc_scores, dnc_weights, dropped_of


class DnC(Aggregation):
    """Mean without the updates that stand out along the direction in which updates differ most.

    Scores are squared lengths along that direction, the mean over the repetitions; less is better.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f); null is the number of malicious clients.
        filter_fraction: Updates to drop per malicious client (c): each repetition drops ``floor(c f)``.
        num_coordinates: Coordinates that a repetition looks at, drawn anew (b); all if there are fewer.
        num_repetitions: Repetitions (niters); the mean is of the updates that none has dropped.

    Raises:
        InputError: If a setting is out of range, or nobody would be left; before the first round.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021.

    Reading:
        ``floor(c f)`` updates are dropped. Where repetitions leave nobody, those kept most often are in the mean.
    """

    def __init__(
        self,
        num_byzantine: int | None = None,
        filter_fraction: float = 1.0,
        num_coordinates: int = 10_000,
        num_repetitions: int = 1,
    ) -> None:
        check_filter_fraction("aggregation.filter_fraction", filter_fraction)
        check_count("aggregation.num_coordinates", num_coordinates)
        check_count("aggregation.num_repetitions", num_repetitions)
        self.filter_fraction = filter_fraction
        self.num_coordinates = num_coordinates
        self.num_repetitions = num_repetitions
        self.byzantine = Byzantine(
            num_byzantine,
            lambda f: dropped_of(f, filter_fraction) + 1,
            f"more than {filter_fraction:g} * num_byzantine updates",
        )

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that somebody is left, and warns where the malicious may be the majority."""
        self.byzantine.check(federation, self.label)
        tolerated = self.byzantine.expected(federation)
        if 2 * tolerated >= federation.rows_per_round:
            rank_zero_warn(f"DnC tolerates fewer malicious clients than half; {tolerated} are expected in a round")

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.dnc`."""
        scores = torch.stack(list(dnc_scores(round.rows, self._coordinates(round))))
        num_dropped = dropped_of(self.byzantine.of(round), self.filter_fraction)
        return Aggregate.mean_of(round, dnc_weights(scores, num_dropped=num_dropped), scores=scores.mean(dim=0))

    def _coordinates(self, round: Round) -> Tensor | None:
        num_params = round.rows.num_params
        if self.num_coordinates >= num_params:
            return None  # whatever the repetition
        source = round.generator("DnC")
        draws = [torch.randperm(num_params, generator=source, device=round.device) for _ in range(self.num_repetitions)]
        return torch.stack([draw[: self.num_coordinates] for draw in draws])
