"""No attack."""

from flt.federation import Attack


class NoAttack(Attack):
    """Every client follows the protocol.

    Args:
        fraction: For configurations of version 0.1 alone: fraction of the clients that rules assume to be malicious
            where ``model.num_byzantine`` is null. Set that one instead.
    """

    active = False

    # Null, and not 0, is no fraction for an attack that takes the place of this one on the command line.
    def __init__(self, fraction: float | None = None) -> None:
        super().__init__(0.0 if fraction is None else fraction)
