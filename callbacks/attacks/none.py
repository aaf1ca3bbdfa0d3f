"""No attack."""

from flt.hooks import Attack


class NoAttack(Attack):
    """Every client follows the protocol.

    Args:
        fraction: Fraction of the clients that are in the attacker's hands though they behave honestly. It sets what
            Krum and Trim-mean tolerate by default: the paper's rows without attack keep 0.2.
    """

    def __init__(self, fraction: float = 0.0) -> None:
        super().__init__(fraction)
