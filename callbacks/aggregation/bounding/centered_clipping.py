"""Centred clipping as a callback."""

from flt.errors import InputError, check_count, check_positive
from flt.federation import Aggregate, Aggregation, Federation, Judgement, Round
from flt.functional.aggregation.bounding.centered_clipping import clipped_around


class CenteredClipping(Aggregation):
    """The last aggregate, moved by the mean of what the updates differ from it, each difference shortened to a bound.

    The score of a client is what its difference was multiplied by, 1 where it counts whole.

    Args:
        max_norm: The bound on a difference (tau).
        relative: Whether ``max_norm`` is in units of the median distance of the updates from the last aggregate; else
            it is a length, and one that fits the paper's momenta may shorten no update at all.
        num_steps: Steps of a round (L).
        momentum: Momentum beta of what the clients send, in [0, 1), with which the bound grows as
            ``tau / (1 - beta)``, the linear scaling of the second reference.

    Raises:
        InputError: If a setting is out of range.

    Reference:
        Karimireddy, He and Jaggi, Learning from History for Byzantine Robust Optimization, ICML 2021; Karimireddy, He
        and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.

    Reading: clients send what they send, not momenta; the last aggregate is kept all the same.
    """

    def __init__(
        self, max_norm: float = 100.0, relative: bool = False, num_steps: int = 1, momentum: float = 0.0
    ) -> None:
        check_positive("aggregation.max_norm", max_norm)
        check_count("aggregation.num_steps", num_steps)
        if not 0 <= momentum < 1:
            raise InputError(f"aggregation.momentum={momentum} must be at least 0 and less than 1")
        self.max_norm, self.relative, self.num_steps = max_norm / (1.0 - momentum), relative, num_steps

    def describe(self, federation: Federation) -> str:
        """The rule and its bound."""
        return f"{self.label}, max_norm {self.max_norm:g}{' median distances' if self.relative else ''}"

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The last aggregate."""
        return num_params

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.centered_clipping`."""
        center, factors = clipped_around(
            round.rows,
            round.memory.get("center"),
            max_norm=self.max_norm,
            relative=self.relative,
            num_steps=self.num_steps,
        )
        return Aggregate(center, judgement=Judgement(scores=factors), memory={"center": center})
