"""Mimic as a callback."""

from typing import Any

from flt.errors import check_choice, check_count
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.mimic import Learnt, Pick, mimic


class Mimic(Attack):
    """Malicious clients all copy one benign client, whose data then count for more than they should.

    It is the client whose update reaches furthest along the direction in which benign updates differ most.

    Args:
        warmup_rounds: Rounds in which they attack while they still learn that direction; thereafter they copy the same
            client, another one in rounds without it.
        pick: Whether they copy the client with the "largest" or the "smallest" part along the direction.

    Raises:
        InputError: If an argument is out of range, or they know no benign update.

    Reading:
        The direction is what one step of a power iteration makes of a random vector, averaged over the rounds of
        learning, as in code of one of the authors. A client is known by its id, and not by its place in a round.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.
    """

    uses_knowledge = True
    has_to_know = "copies a benign update"

    def __init__(self, warmup_rounds: int = 1, pick: Pick = "largest", **settings: Any) -> None:
        super().__init__(**settings)
        check_count("attack.warmup_rounds", warmup_rounds)
        check_choice("attack.pick", pick, Pick)
        self.warmup_rounds, self.pick = warmup_rounds, pick

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The mean and the direction, both in float64."""
        return 4 * num_params

    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.attacks.omniscient.mimic`."""
        updates, learnt = mimic(
            round.updates,
            round.malicious,
            round.client_ids,
            learnt=Learnt(**round.memory) if round.memory else None,
            warmup=self.warmup_rounds,
            pick=self.pick,
            generator=round.generator("Mimic"),
        )
        return round.replace(updates=updates, memory=learnt._asdict() if learnt else round.memory)
