"""Sybils with noise that cancels out as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.label_flipping import LabelFlippingAttack
from flt.data.examples import ClientData
from flt.errors import InputError, check_positive
from flt.federation import Attack, ClientMemory, Federation, Round
from flt.functional.attacks.blind.sybil_noise import sybil_noise, sybil_turns


class SybilNoise(Attack):
    """Malicious clients train on flipped labels, and hide how alike they are behind noise that cancels out in pairs.

    Args:
        scale: Length of the noise in lengths of an update.
        max_cosine: Largest cosine between what two malicious clients have sent so far; one that would be above it sends
            noise alone in a round, the others their updates without noise (M). Null puts noise on every update instead.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Fung, Yoon, Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020, the section on
        adaptive attacks.

    Reading:
        Directions are drawn anew each round and are orthogonal to one another; noise is as long as the updates
        themselves, so that two equal ones leave as orthogonal ones. Each malicious client minds its own cosines.
    """

    def __init__(self, scale: float = 1.0, max_cosine: float | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.scale", scale)
        if max_cosine is not None and not -1 <= max_cosine < 1:
            raise InputError(f"attack.max_cosine={max_cosine} must be at least -1 and less than 1, or null")
        self.scale, self.max_cosine = scale, max_cosine

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """What each client has sent so far, where that matters."""
        return 0 if self.max_cosine is None else federation.num_clients * num_params

    def poison(self, federation: Federation) -> ClientData | None:
        """Flips the labels of the malicious clients."""
        return LabelFlippingAttack(self.fraction).poison(federation)

    def craft(self, round: Round) -> Tensor | Round:
        """Applies `flt.functional.attacks.blind.sybil_noise`."""
        source = round.generator("SybilNoise")
        if self.max_cosine is None:
            return sybil_noise(round.updates, round.malicious, scale=self.scale, generator=source)
        kept = round.memory.get("sent")
        if kept is None:
            kept = ClientMemory.empty(round.federation.num_clients, like=round.updates)
        before = kept.of(round.client_ids)
        updates = sybil_turns(
            round.updates, round.malicious, before, max_cosine=self.max_cosine, scale=self.scale, generator=source
        )
        ids = round.client_ids.to(updates.device)[round.malicious]
        kept = kept.updated(ids, before[round.malicious] + updates[round.malicious])
        return round.replace(updates=updates, memory={"sent": kept})
