"""The adaptive attack as a callback."""

from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError, check_choice, check_positive
from flt.federation import Attack, Round
from flt.functional import adaptive_attack
from flt.functional.attacks.adaptive import Solver


class AdaptiveAttack(Attack):
    """Malicious clients, who know everything, choose directions that turn FLTrust's aggregate around.

    Args:
        fraction: Fraction of the clients that are malicious.
        solver: "zeroth_order" is the paper's; "exact" finds the optimum of the same objective.
        sweeps: Passes of the zeroth-order solver over the malicious clients (V).
        steps: Its steps a client and pass (Q).
        noise_variance: Variance of its probing directions (sigma^2).
        probe: Length of its probing step (gamma).
        step_size: Length of its ascent step (eta).

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section V.
    """

    needs_root_update = True

    def __init__(
        self,
        fraction: float = 0.2,
        solver: Solver = "zeroth_order",
        sweeps: int = 10,
        steps: int = 10,
        noise_variance: float = 0.5,
        probe: float = 0.005,
        step_size: float = 0.01,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, **settings)
        check_choice("attack.solver", solver, Solver)
        if sweeps < 0 or steps < 0:
            raise InputError(f"attack.sweeps={sweeps} and attack.steps={steps} must be 0 or more")
        for name, value in {"noise_variance": noise_variance, "probe": probe, "step_size": step_size}.items():
            check_positive(f"attack.{name}", value)
        given = (sweeps, steps, noise_variance, probe, step_size)
        if solver == "exact" and given != (10, 10, 0.5, 0.005, 0.01):
            rank_zero_warn("attack.sweeps, steps, noise_variance, probe and step_size have no effect with solver=exact")
        elif solver != "exact" and 0 in (sweeps, steps):
            rank_zero_warn(f"attack.sweeps={sweeps} and attack.steps={steps} leave the solver's start as it is")
        self.solver: Solver = solver
        self.sweeps = sweeps
        self.steps = steps
        self.noise_variance = noise_variance
        self.probe = probe
        self.step_size = step_size

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.adaptive`."""
        return adaptive_attack(
            round.updates,
            round.malicious,
            round.require_root_update(),
            solver=self.solver,
            sweeps=self.sweeps,
            steps=self.steps,
            noise_variance=self.noise_variance,
            probe=self.probe,
            step_size=self.step_size,
            generator=round.generator("adaptive attack"),
        )
