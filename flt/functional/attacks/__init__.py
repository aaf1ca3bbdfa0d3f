"""Attacks, tensors to tensors."""

from flt.functional.attacks import backdoors, blind, omniscient, tailored
from flt.functional.attacks.adaptive import adaptive_attack
from flt.functional.attacks.adaptive_game import adaptive_objective
from flt.functional.attacks.backdoors import *  # noqa: F403
from flt.functional.attacks.blind import *  # noqa: F403
from flt.functional.attacks.edge_cases import least_confident
from flt.functional.attacks.exact import exact_attack
from flt.functional.attacks.krum import krum_attack
from flt.functional.attacks.label_flipping import flip_labels
from flt.functional.attacks.omniscient import *  # noqa: F403
from flt.functional.attacks.searched import searched_attack
from flt.functional.attacks.tailored import *  # noqa: F403
from flt.functional.attacks.trim import trim_attack

__all__ = ["adaptive_attack", "adaptive_objective", "exact_attack", "flip_labels", "krum_attack", "least_confident"]
__all__ += ["searched_attack", "trim_attack"]
__all__ += omniscient.__all__
__all__ += blind.__all__
__all__ += tailored.__all__
__all__ += backdoors.__all__
