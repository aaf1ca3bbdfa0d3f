"""Attacks: thin classes over `flt.functional`."""

from callbacks.attacks import backdoors, blind, omniscient, tailored
from callbacks.attacks.adaptive import AdaptiveAttack
from callbacks.attacks.backdoors import *  # noqa: F403
from callbacks.attacks.blind import *  # noqa: F403
from callbacks.attacks.groups import AttackGroups
from callbacks.attacks.krum import KrumAttack
from callbacks.attacks.label_flipping import LabelFlipping, LabelFlippingAttack
from callbacks.attacks.none import NoAttack
from callbacks.attacks.omniscient import *  # noqa: F403
from callbacks.attacks.scaling import ScalingAttack
from callbacks.attacks.tailored import *  # noqa: F403
from callbacks.attacks.trim import TrimAttack
from callbacks.attacks.worst import Worst

__all__ = [
    "AdaptiveAttack",
    "AttackGroups",
    "KrumAttack",
    "LabelFlipping",
    "LabelFlippingAttack",
    "NoAttack",
    "ScalingAttack",
    "TrimAttack",
    "Worst",
]
__all__ += omniscient.__all__
__all__ += blind.__all__
__all__ += tailored.__all__
__all__ += backdoors.__all__
