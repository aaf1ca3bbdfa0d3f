"""What stands for the honest updates of malicious clients that hold no data."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from torch import Tensor

from flt.data.datamodule import FederatedDataModule
from flt.federation import Attack, FederatedCallback, Round
from flt.functional import finite_rows
from flt.functional.attacks.knowledge import mean_of, sent


class BenignMean(FederatedCallback):
    """The mean of the benign clients' updates, in place of the honest update of malicious clients without data.

    It is what an attack finds as their update, and what they send where the attack leaves it.

    Reading:
        Byzantine clients of ByzFL make what they send of the honest clients' updates alone. An attack that turns a
        client's own update around, such as `SignFlip`, turns the mean around.
    """

    def on_client_updates(self, round: Round) -> Round | None:
        """Fills in the mean."""
        malicious = round.malicious.to(round.device)
        benign = (~malicious & finite_rows(round.updates)).nonzero().flatten()
        if not malicious.any() or not len(benign):
            return None

        def filled(rows: Tensor) -> Tensor:
            return sent(rows, malicious, mean_of(rows, benign)) if rows.shape[1] else rows

        return round.replace(updates=filled(round.updates), statistics=filled(round.statistics))


def with_benign_mean(callbacks: Sequence[Callback], data: FederatedDataModule) -> list[Callback]:
    """The plug-ins of a round in order, with `BenignMean` before the attack where malicious clients hold no data."""
    if not data.num_added_clients or data.added_data != "none":
        return list(callbacks)
    return [each for one in callbacks for each in ([BenignMean(), one] if isinstance(one, Attack) else [one])]
