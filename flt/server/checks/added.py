"""Whether an attack can be made by malicious clients that were added to those who hold the data."""

from lightning.pytorch.utilities import rank_zero_warn

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation import Attack, Federation


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
