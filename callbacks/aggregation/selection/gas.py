"""GAS as a callback."""

import torch
from torch import Tensor

from callbacks.aggregation.median import Median
from flt.errors import InputError, check_count
from flt.federation import Aggregate, Aggregation, Byzantine, Coordinatewise, Federation, Round, RuleAround
from flt.federation.memory import NOTHING
from flt.functional import all_finite
from flt.functional.aggregation.selection.gas import by_chunks, gas_scores
from flt.functional.aggregation.selection.monna import nearest_weights
from flt.functional.rows import Rows


class GAS(RuleAround):
    """Mean of the updates that are close to another rule's aggregate in every chunk of the coordinates.

    Scores are sums over the chunks of distances to the rule's aggregate of the chunk; less is better.

    Args:
        rule: The rule that is applied to each chunk, in each round as if it were the first; null is Median. A rule that
            does not go coordinate by coordinate is asked once for every chunk, which takes its time.
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; the ``n - f`` updates with the
            least scores are in the mean. Null is the number of malicious clients.
        num_chunks: Chunks into which coordinates are divided at random in each round (p); as many as there are
            coordinates, if there are fewer.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``, the rule is not defined for so many, or it needs
            whole updates; before the first round.

    Reference:
        Liu et al., Byzantine-Robust Learning on Heterogeneous Data via Gradient Splitting, ICML 2023.
    """

    def __init__(
        self, rule: Aggregation | None = None, num_byzantine: int | None = None, num_chunks: int = 1000
    ) -> None:
        super().__init__(Median() if rule is None else rule)
        check_count("aggregation.num_chunks", num_chunks)
        self.num_chunks = num_chunks
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)

    def check(self, federation: Federation) -> None:
        """Checks the number to tolerate, and that the rule can be asked of a chunk; then the rule."""
        whole = [rule for rule in self.inner_rules if rule.needs_root_data or rule.needs_whole_updates]
        if whole:
            raise InputError(
                f"{type(self).__name__} asks its rule of chunks of the coordinates, and {whole[-1].label} needs whole"
                " updates, to measure them on data or layer by layer: take another rule inside"
            )
        self.byzantine.check(federation, type(self).__name__)
        super().check(federation)

    def describe(self, federation: Federation) -> str:
        """The number to tolerate, and the rule with its settings."""
        return f"{super().describe(federation)}, {self.byzantine.describe(federation)}"

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """Nothing: chunks are others in each round."""
        return 0

    def apply(self, round: Round) -> Aggregate | None:
        """Applies `flt.functional.gas`."""
        chunk_of = self._chunks(round)
        centre = self._centre(round, chunk_of)
        if centre is None or not all_finite(centre):
            return None
        scores = gas_scores(round.rows, centre, chunk_of)
        weights = nearest_weights(scores, num_byzantine=self.byzantine.of(round))
        return Aggregate.mean_of(round, weights, scores=scores)

    def _chunks(self, round: Round) -> Tensor:
        """The chunk of each coordinate; sizes differ by one at most."""
        num_params, device = round.rows.num_params, round.device
        chunk_of = torch.arange(num_params, device=device) % min(self.num_chunks, max(1, num_params))
        if self.num_chunks >= num_params:
            return chunk_of  # a coordinate each
        return chunk_of[torch.randperm(num_params, generator=round.generator("GAS"), device=device)]

    def _centre(self, round: Round, chunk_of: Tensor) -> Tensor | None:
        """The rule's aggregate of each chunk, shape ``[num_params]``; None if it makes nothing of one."""
        if isinstance(self.rule, Coordinatewise):  # which makes the same of a coordinate in any chunk
            found = self.ask(round)
            return None if found is None else found.update
        missing = torch.full_like(round.parameters[:1], torch.nan)

        def of_chunk(columns: Tensor) -> Tensor:
            found = self.ask(_part(round, columns))
            return missing if found is None else found.update

        return by_chunks(of_chunk, chunk_of, like=round.rows.updates)


def _part(round: Round, columns: Tensor) -> Round:
    """The round as if there were some of the parameters only."""
    root = None if round.root_update is None else round.root_update[columns]
    return round.replace(
        updates=Rows(round.rows.columns(columns)),
        root_update=root,
        parameters=round.parameters[columns],
        memory=NOTHING,
    )
