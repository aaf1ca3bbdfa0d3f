"""Malicious clients that were added and hold no data: which attacks they can make, and what they start from."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation import Attack, FederatedCallback, Federation, Round
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


def check_added(data: FederatedDataModule, federation: Federation, attack: Attack | None) -> None:
    """Raises an `InputError` for an attack that added clients cannot make; warns of settings without effect.

    Args:
        data: The data.
        federation: Who there is.
        attack: The attack; None for none.
    """
    added = data.num_added_clients
    if not added:
        if data.added_data != "none":
            rank_zero_warn(f"data.added_data={data.added_data} has no effect without data.num_added_clients")
        return
    given = f"data.num_added_clients={added}"
    if attack is None or not attack.active:
        rank_zero_warn(f"{given} has no effect: nobody attacks, and added clients take part where they attack")
        return
    if len(attack.members) == 1 and attack.fraction not in (0.0, 0.2):  # 0.2 is what most attacks have by themselves
        rank_zero_warn(f"attack.fraction={attack.fraction:g} has no effect: with {given} these are the malicious ones")
    for member, group in zip(attack.members, federation.groups, strict=True):
        if data.added_data != "none" or not group.num_malicious:
            continue
        if member.overrides("poison") or member.overrides("train"):
            raise InputError(
                f"{given}: {member.label} trains on malicious clients' data, and these hold none: set"
                " data.added_data=copies"
            )
        if member.knowledge == "partial":
            raise InputError(
                f"attack.knowledge=partial: {member.label} knows malicious clients' own updates, and those of {given}"
                " hold no data to make any: set data.added_data=copies, or full"
            )
