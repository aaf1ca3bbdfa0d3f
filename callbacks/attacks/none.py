"""No attack."""

from flt.federation import Attack


class NoAttack(Attack):
    """Every client follows the protocol.

    Args:
        fraction: For configurations of version 0.1 alone: fraction of the clients that rules assume to be malicious
            where ``model.num_byzantine`` is null. Set that one instead.
    """

    active = False

    def __init__(self, fraction: float = 0.0) -> None:
        super().__init__(fraction)
