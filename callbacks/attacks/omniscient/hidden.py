"""The settings of attacks that go as far off the mean as they can without standing out."""

from lightning.pytorch.utilities import rank_zero_warn

from flt.errors import check_choice, check_positive
from flt.functional.attacks.omniscient.spread import Perturbation, Search

GAMMA_INIT = 10.0  # as in the authors' notebooks for CIFAR-10


def check_hidden(perturbation: Perturbation, search: Search, gamma_init: float) -> None:
    """Raises an `InputError` for a setting out of range, and warns of a first step that nothing starts with."""
    check_choice("attack.perturbation", perturbation, Perturbation)
    check_choice("attack.search", search, Search)
    check_positive("attack.gamma_init", gamma_init)
    if search == "closed" and gamma_init != GAMMA_INIT:
        rank_zero_warn(f"attack.gamma_init={gamma_init} has no effect with search=closed")
