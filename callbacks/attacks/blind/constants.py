"""Updates that nobody has to compute as callbacks."""

from typing import Any

from torch import Tensor

from callbacks.attacks.blind.untrained import untrained
from flt.errors import check_choice
from flt.federation import Attack, Round, by_client
from flt.functional.attacks.blind.constants import Value, non_finite, zero_update


class ZeroUpdate(Attack):
    """Malicious clients send zero: they do not work; or what would lead to a model that is zero.

    Args:
        zero_model: Whether they send minus the global model instead, much more than nothing.

    Reading:
        Programs call both "zero" (FedML sets the weights to zero); an update of zero is the default.
    """

    def __init__(self, zero_model: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.zero_model = zero_model

    @by_client
    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.zero_update`."""
        updates = zero_update(round.updates, round.malicious, round.parameters if self.zero_model else None)
        return untrained(round).replace(updates=updates)


class NonFinite(Attack):
    """Malicious clients send infinities or NaNs, which the server has to notice.

    Args:
        value: What every entry is, "inf" or "nan".

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Guerraoui et al., ByzFL: Research Framework for Robust Federated Learning, 2025.

    Reading:
        The server of ``flt`` drops such updates before any rule (column num_dropped), so what is left of the
        attack is the clients that are missing.
    """

    def __init__(self, value: Value = "inf", **settings: Any) -> None:
        super().__init__(**settings)
        check_choice("attack.value", value, Value)
        self.value: Value = value

    @by_client
    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.non_finite`."""
        return non_finite(round.updates, round.malicious, value=self.value)
