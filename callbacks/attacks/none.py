"""No attack."""

from flt.federation import Attack


class NoAttack(Attack):
    """Every client follows the protocol.

    Args:
        fraction: Fraction of the clients that Krum and Trim-mean expect to be malicious unless told otherwise, though
            none is; the paper's rows without attack keep 0.2.
    """

    active = False

    def __init__(self, fraction: float = 0.2) -> None:
        super().__init__(fraction)
