"""Decides whether synthetic data take the place of real ones."""

from collections.abc import Callable
from typing import Literal, TypeVar

from flt.data.fetching.download import Unreachable
from flt.errors import InputError

StandInPolicy = Literal["never", "if_unreachable", "always"]
Data = TypeVar("Data")


def real_or_stand_in(
    policy: StandInPolicy, *, real: Callable[[], Data], stand_in: Callable[[], Data], remedy: str
) -> tuple[Data, bool]:
    """The real data, or a stand-in if the user's policy allows it.

    Args:
        policy: "never" or "always" a stand-in, or "if_unreachable", where the real data can neither be found nor
            downloaded.
        real: Loads the real data; raises `Unreachable` if they can neither be found nor downloaded.
        stand_in: Makes the stand-in.
        remedy: Advice how to supply the real data, for the message.

    Returns:
        The data, and whether they are a stand-in.

    Raises:
        InputError: If the real data are not to be had and the policy is ``"never"``.
    """
    if policy == "always":
        return stand_in(), True
    try:
        return real(), False
    except Unreachable as error:
        if policy == "if_unreachable":
            return stand_in(), True
        raise InputError(f"{error}: {remedy}, or pass --data.stand_in=if_unreachable for synthetic data") from error
