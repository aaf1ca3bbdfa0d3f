"""The adaptive attack as a callback."""

from typing import Any, Literal

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError, check_choice, check_positive
from flt.federation import Attack, Round
from flt.functional import adaptive_attack, exact_attack, searched_attack
from flt.functional.attacks.adaptive import Solver
from flt.functional.attacks.adaptive_walk import Scores
from flt.functional.attacks.exact import Objective
from flt.functional.attacks.searched import check_evaluations
from flt.functional.rows import OfRows

Against = Literal["fltrust", "rule"]
"""What the optimum is of: FLTrust as published, or the rule in force."""

OF_WALK = {"sweeps": 10, "steps": 10, "noise_variance": 0.5, "probe": 0.005, "step_size": 0.01, "scores": "relu"}
OF_OPTIMUM = {"against": "fltrust", "objective": "sign", "longest": 1.0, "evaluations": 96}
"""Settings that one of the solvers has, with their defaults."""


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
        scores: Trust scores of malicious clients in what it climbs: "relu", as printed, leaves those where they start
            that do so at more than 90 degrees to the root update; "signed", their cosines, makes all of them move.
        against: Whose optimum "exact" finds: that of "fltrust" as published, or of the "rule" in force. Of FLTrust in
            any shape (score, magnitude, include_root, least_cosine) it is computed; any other rule, and one with
            something before it, is asked, and the worst of what a search tries is sent.
        objective: What "exact" harms: how far the aggregate goes along its own "sign" before the attack, as in the
            paper; its "progress" along the root update; how near it stays to the benign mean ("displacement"); or its
            "descent", how far it goes along the plain mean of the benign updates.
        longest: Greatest length of malicious updates in lengths of the root update, where the rule does not bring them
            to its own.
        evaluations: How often "exact" asks a rule that is not of FLTrust's shape in a round, 32 or more.

    Raises:
        InputError: If an argument is out of range, or they know no benign update.

    Reading:
        Under "own" lengths, and under signed scores that malicious clients can cancel, harm has no bounds: they stop at
        ``longest``, and where all trust together is 0.01.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section V.
    """

    needs_root_update = True
    uses_knowledge = True
    has_to_know = "turns the aggregate of all updates around"

    def __init__(
        self,
        fraction: float = 0.2,
        solver: Solver = "zeroth_order",
        sweeps: int = 10,
        steps: int = 10,
        noise_variance: float = 0.5,
        probe: float = 0.005,
        step_size: float = 0.01,
        scores: Scores = "relu",
        against: Against = "fltrust",
        objective: Objective = "sign",
        longest: float = 1.0,
        evaluations: int = 96,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, **settings)
        check_choice("attack.solver", solver, Solver)
        if sweeps < 0 or steps < 0:
            raise InputError(f"attack.sweeps={sweeps} and attack.steps={steps} must be 0 or more")
        positive = {"noise_variance": noise_variance, "probe": probe, "step_size": step_size, "longest": longest}
        for name, value in positive.items():
            check_positive(f"attack.{name}", value)
        check_choice("attack.scores", scores, Scores)
        check_choice("attack.against", against, Against)
        check_choice("attack.objective", objective, Objective)
        check_evaluations("attack.evaluations", evaluations)
        self.solver: Solver = solver
        self.sweeps = sweeps
        self.steps = steps
        self.noise_variance = noise_variance
        self.probe = probe
        self.step_size = step_size
        self.scores: Scores = scores
        self.against: Against = against
        self.objective: Objective = objective
        self.longest = longest
        self.evaluations = evaluations
        self._warn_of_no_effect()

    def _warn_of_no_effect(self) -> None:
        """Warns of settings that the solver, or the rule it looks at, does not have."""
        idle = self._sets(*(OF_WALK if self.solver == "exact" else OF_OPTIMUM))
        if idle:
            rank_zero_warn(f"attack.{', '.join(idle)}: no effect with attack.solver={self.solver}")
        elif self.solver == "exact" and self.against == "fltrust" and self._sets("longest", "evaluations"):
            rank_zero_warn("attack.longest and attack.evaluations have no effect with attack.against=fltrust")
        elif self.solver != "exact" and 0 in (self.sweeps, self.steps):
            rank_zero_warn(
                f"attack.sweeps={self.sweeps} and attack.steps={self.steps} leave the solver's start as it is"
            )

    def _sets(self, *names: str) -> list[str]:
        """Those of these settings that have another value than their default."""
        return [name for name in names if getattr(self, name) != (OF_WALK | OF_OPTIMUM)[name]]

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.adaptive_attack`, `exact_attack` or `searched_attack`."""
        if self.solver == "exact":
            return self._optimum(round)
        return adaptive_attack(
            round.updates,
            round.malicious,
            round.require_root_update(),
            sweeps=self.sweeps,
            steps=self.steps,
            noise_variance=self.noise_variance,
            probe=self.probe,
            step_size=self.step_size,
            scores=self.scores,
            generator=round.generator("adaptive attack"),
        )

    def _optimum(self, round: Round) -> Tensor:
        """The worst for FLTrust or for the rule in force."""
        given = round.updates, round.malicious, round.require_root_update()
        if self.against == "fltrust":
            return exact_attack(*given, objective=self.objective)
        shape = round.rule.shape if isinstance(round.rule, OfRows) else None
        if shape is not None:
            return exact_attack(*given, shape=shape, objective=self.objective, longest=self.longest)
        return searched_attack(
            *given, round.rule, objective=self.objective, longest=self.longest, evaluations=self.evaluations
        )
