"""CRFL as a callback."""

from dataclasses import replace

import torch
from lightning.pytorch.utilities import rank_zero_warn

from callbacks.aggregation.fedavg import FedAvg
from flt.errors import check_count, check_not_negative, check_positive
from flt.federation import Aggregate, Aggregation, Federation, Round, RuleAround
from flt.functional.aggregation.bounding.crfl import crfl


class CRFL(RuleAround):
    """Shortens the global model to a length that grows with the rounds, and adds noise to it.

    The bound in round t, counted from 1, is ``rho_t = min(largest, growth * t + start)``; as defaults the authors' for
    MNIST. Theirs are 0.025 t + 2 for LOAN and 0.25 t + 4 for EMNIST, without a largest.

    Args:
        rule: The rule whose aggregate the model takes; null is FedAvg.
        noise_std: Standard deviation of the normal noise on each parameter (sigma).
        start: The bound before the first round.
        growth: What is added to it each round.
        largest: The largest that it becomes; null lets it grow.
        num_rounds: Rounds of the run, after the last of which there is no noise; null adds it after each.

    Raises:
        InputError: If a setting is out of range.

    Reading:
        What is shortened is the model after a step of the server with learning rate 1: leave ``model.server_lr`` at 1
        and set no ``model.server_optimizer``.

    Reference:
        Xie, Chen, Chen and Li, CRFL: Certifiably Robust Federated Learning against Backdoor Attacks, ICML 2021.
    """

    def __init__(
        self,
        rule: Aggregation | None = None,
        noise_std: float = 0.01,
        start: float = 2.0,
        growth: float = 0.1,
        largest: float | None = 15.0,
        num_rounds: int | None = None,
    ) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        check_not_negative("aggregation.noise_std", noise_std)
        check_positive("aggregation.start", start)
        check_not_negative("aggregation.growth", growth)
        if largest is not None:
            check_positive("aggregation.largest", largest)
        check_count("aggregation.num_rounds", num_rounds)
        self.noise_std, self.start, self.growth, self.num_rounds = noise_std, start, growth, num_rounds
        self.largest = float("inf") if largest is None else largest

    def check(self, federation: Federation) -> None:
        """Warns where the server does not take the step to the shortened model, and checks the rule."""
        if federation.server_lr != 1:
            rank_zero_warn(
                f"model.server_lr={federation.server_lr}: CRFL shortens the model that a step with 1 would make; leave"
                " it at 1"
            )
        super().check(federation)

    def describe(self, federation: Federation) -> str:
        """The rule with its settings, the bounds and the noise."""
        bound = f"max_norm {self.bound(0):g} and more" if self.growth else f"max_norm {self.bound(0):g}"
        return f"{super().describe(federation)}, {bound}, noise_std {self.noise_std:g}"

    def bound(self, number: int) -> float:
        """The largest length of the model after a round, counted from 0 (rho_t)."""
        return min(self.largest, self.growth * (number + 1) + self.start)

    def apply(self, round: Round) -> Aggregate | None:
        """See `flt.functional.crfl`."""
        found = self.ask(round)
        if found is None:
            return None
        noise = None
        if self.noise_std and round.number + 1 != self.num_rounds:
            source = round.generator(f"noise of {self.label}")
            noise = self.noise_std * torch.randn(found.update.shape, generator=source, device=round.device)
        return replace(found, update=crfl(found.update, round.parameters, noise, max_norm=self.bound(round.number)))
