"""MPAF as a callback."""

from typing import Any, Literal

from callbacks.attacks.blind.untrained import untrained
from flt.errors import check_choice, check_positive
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.blind.mpaf import mpaf, other_initialization

Target = Literal["random", "initial"]


class MPAF(Attack):
    """Fake clients without data drag the global model towards a model that has learnt nothing.

    Args:
        scale: How many times the way there they send (lambda).
        target: Where they drag it: to a "random" other initialisation of the network, drawn once a run, or back to the
            "initial" model.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Cao, Gong, MPAF: Model Poisoning Attacks to Federated Learning based on Fake Clients, CVPR Workshops 2022.

    Reading:
        The other initialisation is the first global model with the weights of each tensor in another order,
        which is as good a draw whatever the network's initialisation; fake clients take the place of a ``fraction`` of
        the federation's, and are not added to it.
    """

    works_alone = True

    def __init__(self, scale: float = 1e6, target: Target = "random", **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.scale", scale)
        check_choice("attack.target", target, Target)
        self.scale = scale
        self.target: Target = target

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The model to which they drag."""
        return num_params

    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.attacks.blind.mpaf`."""
        memory, first = round.memory, round.parameters
        if not memory:
            is_other, source = self.target == "random", round.generator("MPAF")
            target = other_initialization(first, round.federation.layout, generator=source) if is_other else first
            memory = {"target": target}
        updates = mpaf(round.updates, round.malicious, round.parameters, memory["target"], scale=self.scale)
        return untrained(round).replace(updates=updates, memory=memory)
