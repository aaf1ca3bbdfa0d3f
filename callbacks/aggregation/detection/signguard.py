"""SignGuard and its variants as a callback."""

import torch

from flt.errors import check_choice, check_share
from flt.federation import Aggregate, Aggregation, Federation, Round, check_fewest
from flt.functional.aggregation.detection.signguard import Feature, block_of, signguard_filter


class SignGuard(Aggregation):
    """Mean of the updates of ordinary length and ordinary signs, none longer than the median length.

    Args:
        feature: What is clustered besides shares of signs: each update's "cosine" with the last aggregate
            (SignGuard-Sim), its "distance" from it (SignGuard-Dist), or "none". The first round has no last aggregate.
        share: Share of the coordinates whose signs count, a block of neighbours drawn anew each round.

    Raises:
        InputError: If an argument is out of range, or there are fewer than 3 updates; before the first round.

    Reading:
        Mean shift begins at every update rather than at binned ones. A cosine or distance is in units of the largest of
        all clients, as shares of signs are. Where no update is of ordinary length and signs, its length alone decides.

    Reference:
        Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient Filtering, ICDCS 2022.
    """

    def __init__(self, feature: Feature = "none", share: float = 0.1) -> None:
        check_choice("aggregation.feature", feature, Feature)
        check_share("aggregation.share", share)
        self.feature: Feature = feature
        self.share = share

    @property
    def label(self) -> str:
        """The paper's name of the variant."""
        return {"none": "SignGuard", "cosine": "SignGuard-Sim", "distance": "SignGuard-Dist"}[self.feature]

    def check(self, federation: Federation) -> None:
        """Checks that there are enough updates for a majority."""
        check_fewest(3, federation, self.label)

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The last aggregate, for the variants that compare with it."""
        return 0 if self.feature == "none" else num_params

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.signguard`."""
        source = round.generator("SignGuard")
        draw = float(torch.rand((), generator=source, device=source.device, dtype=torch.float64))
        block = block_of(round.rows.num_params, share=self.share, draw=draw)
        kept, scales = signguard_filter(round.rows, block, round.memory.get("last"), feature=self.feature)
        found = Aggregate.mean_of(round, kept, scales=scales)
        if self.feature == "none":
            return found
        return Aggregate(found.update, found.statistics, found.judgement, memory={"last": found.update})
