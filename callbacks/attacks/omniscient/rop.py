"""ROP as a callback."""

from typing import Any

from callbacks.attacks.omniscient.shift import checked_shift, warn_of_shift
from flt.errors import InputError
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.rop import rop


class ROP(Attack):
    """Malicious clients send the last aggregate, moved at a right angle to where clients and aggregate go.

    Args:
        z: Length of the move; "formula" is ALIE's number for the clients and malicious clients of the round.
        angle: Angle between the move and where they go (theta), in degrees; 270 is the opposite side of 90.
        location_share: Share of the last aggregate, beside the benign mean, in what is moved (pi).
        reference_share: Its share in where they go (lambda).

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The last aggregate is the last step of the global model by the server's learning rate: clients see no other.
        Before the first step it is zero. The move is towards the vector of ones, as far as it is at a right angle. The
        authors' 270 degrees is said of gradients, which makes 90 degrees of updates. z is a length, as in their code,
        whatever the length of updates.

    Reference:
        Ozfatura et al., Byzantines can also Learn from History: Fall of Centered Clipping in Federated Learning, IEEE
        TIFS 2024.
    """

    uses_knowledge = True

    def __init__(
        self,
        z: float | str = "formula",
        angle: float = 90.0,
        location_share: float = 1.0,
        reference_share: float = 0.9,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not -360.0 <= angle <= 360.0:
            raise InputError(f"attack.angle={angle} must be a number of degrees from -360 to 360")
        for name, value in {"location_share": location_share, "reference_share": reference_share}.items():
            if not 0.0 <= value <= 1.0:
                raise InputError(f"attack.{name}={value} must be from 0 to 1")
        self.z, self.angle = checked_shift(z), angle
        self.location_share, self.reference_share = location_share, reference_share

    def check(self, federation: Federation) -> None:
        """Warns where the formula for z has no answer."""
        warn_of_shift(self.z, federation)

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The global model of the last round."""
        return num_params

    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.attacks.omniscient.rop`."""
        before = round.memory.get("parameters", round.parameters)
        updates = rop(
            round.updates,
            round.malicious,
            (round.parameters.double() - before.double()) / round.federation.server_lr,
            knowledge=self.knowledge,
            z=self.z,
            angle=self.angle,
            location_share=self.location_share,
            reference_share=self.reference_share,
            num_clients=round.num_participants,
            generator=round.generator("ROP"),
        )
        return round.replace(updates=updates, memory={"parameters": round.parameters.clone()})
