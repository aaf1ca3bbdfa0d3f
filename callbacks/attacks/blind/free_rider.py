"""Free-riders as a callback."""

from typing import Any, Literal

from lightning.pytorch.utilities import rank_zero_warn

from callbacks.attacks.blind.untrained import untrained
from flt.errors import check_choice, check_not_negative, check_positive
from flt.federation import Attack, ClientMemory, Federation, Round
from flt.functional.attacks.blind.free_rider import free_rider, lazy_rider

Variant = Literal["plain", "disguised", "delta", "advanced", "lazy"]
NOISY = ("disguised", "advanced")


class FreeRider(Attack):
    """Malicious clients do not train, and send what looks as if they had; they mean no harm to the model.

    Args:
        variant: "plain" sends zero, "disguised" normal noise that fades away, "delta" the last step of the global
            model, "advanced" that step and such noise; "lazy" trains once and sends the same update ever after.
        sigma: Standard deviation of the noise in the first round; null is that of the entries of the first step of the
            global model.
        gamma: How fast noise fades away: in round t, counted from 1, its deviation is ``sigma / t**gamma``.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Lin, Du, Liu, Free-riders in Federated Learning: Attacks and Defenses, 2019 (delta, advanced); Fraboni, Vidal,
        Lorenzi, Free-rider Attacks on Model Aggregation in Federated Learning, AISTATS 2021 (plain, disguised).

    Reading:
        Sigma is measured once, as noise fades away on its own; "advanced" takes the same noise. Before the
        global model has taken a step there is nothing to copy or to measure, and zero is sent. Statistics of batch
        normalisation are sent as they were; "lazy" alone sends those of honest training in the round.
    """

    works_alone = True

    def __init__(
        self, variant: Variant = "disguised", sigma: float | None = None, gamma: float = 1.0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        check_choice("attack.variant", variant, Variant)
        check_not_negative("attack.gamma", gamma)
        if sigma is not None:
            check_positive("attack.sigma", sigma)
        if variant not in NOISY and (sigma, gamma) != (None, 1.0):
            rank_zero_warn(f"attack.sigma and attack.gamma have no effect with variant={variant}: it sends no noise")
        self.variant: Variant = variant
        self.sigma, self.gamma = sigma, gamma
        self.draws_by_row = variant in NOISY

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The last global model, or an update of each client."""
        rows = {"plain": 0, "lazy": federation.num_clients}
        return rows.get(self.variant, 1) * num_params

    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.attacks.blind.free_rider`."""
        if self.variant == "plain":
            return untrained(round).replace(updates=free_rider(round.updates, round.malicious))
        return self._lazy(round) if self.variant == "lazy" else self._copying(round)

    def _copying(self, round: Round) -> Round:
        """Sends the last step of the global model, noise, or both."""
        last, sigma = round.memory.get("parameters"), self.sigma or round.memory.get("sigma", 0.0)
        step = None if last is None else round.parameters - last
        if step is not None and not sigma and self.variant in NOISY:
            sigma = float(step.double().std(correction=0))
        updates = free_rider(
            round.updates,
            round.malicious,
            None if self.variant == "disguised" else step,
            deviation=sigma * (round.number + 1) ** -self.gamma if self.variant in NOISY else 0.0,
            generator=round.generator("FreeRider"),
        )
        memory = {"parameters": round.parameters, "sigma": sigma}
        return untrained(round).replace(updates=updates, memory=memory)

    def _lazy(self, round: Round) -> Round:
        """Sends what each malicious client has sent when it was first there."""
        kept = round.memory.get("updates")
        if kept is None:
            kept = ClientMemory.empty(round.federation.num_clients, like=round.updates)
        is_known = kept.is_known[round.client_ids.to(kept.is_known.device)]
        updates = lazy_rider(round.updates, round.malicious, kept.of(round.client_ids), is_known)
        new = (round.malicious & ~is_known).nonzero().flatten()
        kept = kept.updated(round.client_ids.to(new.device)[new], round.updates[new])
        return round.replace(updates=updates, memory={"updates": kept})
