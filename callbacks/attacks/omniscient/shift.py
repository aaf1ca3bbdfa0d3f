"""The settings of attacks that shift a mean by some standard deviations."""

from lightning.pytorch.utilities import rank_zero_warn

from callbacks.attacks.omniscient.known import counts
from flt.errors import InputError, check_not_negative
from flt.federation import Federation
from flt.functional.attacks.omniscient.alie import Shift, alie_shift


def checked_shift(z: float | str) -> Shift:
    """``attack.z``, which is a number of 0 or more, or the word "formula"; an `InputError` is raised for any other."""
    if not isinstance(z, str):
        check_not_negative("attack.z", z)
        return z
    if z != "formula":
        raise InputError(f"attack.z={z!r} must be a number of 0 or more, or formula")
    return "formula"


def check_ddof(ddof: int) -> None:
    """Raises an `InputError` unless ``attack.ddof`` is 0 or 1."""
    if ddof not in (0, 1):
        raise InputError(f"attack.ddof={ddof} must be 0 or 1")


def warn_of_shift(z: Shift, federation: Federation) -> None:
    """Warns where ``attack.z=formula`` has no answer, or 0, for the clients of a round."""
    num_clients, num_malicious = counts(federation)
    if z != "formula" or not 0 < num_malicious < num_clients:
        return
    found, given = alie_shift(num_clients, num_malicious), f"{num_malicious} malicious of {num_clients} clients"
    if found == 0.0:
        rank_zero_warn(f"attack.z=formula is 0 with {given}, so that nothing is shifted: set a number, such as 1.5")
    elif num_malicious > num_clients // 2:
        rank_zero_warn(f"attack.z=formula is undefined with {given}, a majority: z={found:.3g} is used in its place")
