"""Which steps clients take under the settings of a run, and what they keep for them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.clients.fastest import tell
from flt.clients.flat_network import FlatNetwork
from flt.clients.steps.base import Kept, Steps, taken
from flt.clients.steps.momentum import KeptMomentum
from flt.clients.steps.optimizers import KeptOptimizers, Optimizers, Traits, traits_of
from flt.clients.steps.settings import LocalSettings


@dataclass(frozen=True)
class StepMaker:
    """Makes the steps of clients.

    Args:
        flat: The global model.
        settings: How everyone trains.
    """

    flat: FlatNetwork
    settings: LocalSettings

    @cached_property
    def optimizer(self) -> Traits | None:
        """What the clients' optimizer is like; None without one."""
        return None if self.settings.optimizer is None else traits_of(self.settings.optimizer, self.flat.network)

    @property
    def asks(self) -> bool:
        """Whether the clients' optimizer asks for gradients in the midst of a step."""
        return self.optimizer is not None and self.optimizer.asks

    def check(self, *, is_single: bool) -> None:
        """Says what an optimizer does to a run that its user may not expect.

        Args:
            is_single: Whether clients take a single step in a round.
        """
        if self.optimizer is None:
            return
        name = f"model.client_optimizer {self.optimizer.label.split('(')[0]}"
        if self.optimizer.asks:
            tell(f"{name} asks for gradients in the midst of a step: clients are trained one after the other")
        elif is_single and self.optimizer.numbers and not self.settings.keeps_optimizers:
            rank_zero_warn(
                f"{name} forgets after every step what it has learnt of the gradients, as clients take one in a round:"
                " set model.client_optimizer_state=kept, or more model.local_steps"
            )

    def plain(self) -> dict[str, Any]:
        """All settings by the names that users give them, as plain values."""
        return {**self.settings.plain(), "client_optimizer": self.optimizer and self.optimizer.label}

    def describe(self) -> str:
        """What clients do beside plain steps, for people: empty, or with a comma before it."""
        settings, words = self.settings, []
        if settings.momentum:
            words.append(f"momentum {settings.momentum:g}" + " damped" * (settings.momentum_scaling == "damped"))
        if settings.proximal:
            words.append(f"proximal {settings.proximal:g}")
        if settings.clip_gradient is not None:
            words.append(f"gradients clipped to {settings.clip_gradient:g}")
        if settings.weight_decay:
            words.append(f"weight decay {settings.weight_decay:g}")
        if self.optimizer is not None:
            words.append(f"{settings.optimizer_state} {self.optimizer.label}")
        return "".join(f", {each}" for each in words)

    def numbers_kept(self, num_clients: int) -> dict[str, int]:
        """How many numbers clients and the server keep from round to round, by the setting that asks for it.

        Args:
            num_clients: Clients of the federation.
        """
        numbers = {"client_momentum": self.flat.num_params if self.settings.momentum else 0}
        if self.optimizer is not None and self.settings.keeps_optimizers:
            numbers["client_optimizer"] = self.optimizer.numbers
        return {name: (num_clients + 1) * each for name, each in numbers.items() if each}

    def kept(self, num_clients: int) -> Kept | None:
        """What everyone is to keep from round to round, as before the first one; None for nothing.

        Args:
            num_clients: Clients of the federation; the server is one more.
        """
        settings, everyone = self.settings, num_clients + 1
        if settings.momentum:
            rows = self.flat.flatten().new_zeros(everyone, self.flat.num_params)
            return KeptMomentum(rows, settings.momentum, settings.momentum_scaling == "damped")
        return KeptOptimizers(self._optimizers(everyone)) if settings.optimizer and settings.keeps_optimizers else None

    def of(self, num_clients: int, given: Steps | None) -> Steps | None:
        """The steps of some clients: those given, or else those of clients that have kept nothing.

        Returns:
            None for minus the learning rate times the gradient.
        """
        return self._optimizers(num_clients) if given is None and self.settings.optimizer else given

    def first(self, steps: Steps | None, gradients: Tensor, lr: float, *, taking: Tensor) -> Tensor:
        """The clients' updates in a single local step, in the place of their gradients.

        Args:
            steps: Their steps, as `of` gives them.
            gradients: Shape ``[num_clients, num_params]``; they are overwritten.
            lr: Their learning rate.
            taking: Who takes a step, boolean of shape ``[num_clients]``, on the CPU.
        """
        if steps is None:
            return gradients.mul_(-lr)
        return taken(steps, gradients, self.flat.flatten().expand_as(gradients), lr, taking=taking)

    def _optimizers(self, num_clients: int) -> Optimizers:
        assert self.settings.optimizer is not None
        assert self.optimizer is not None
        states: list[dict[str, Any]] = [{} for _ in range(num_clients)]
        return Optimizers(self.settings.optimizer, self.flat, self.optimizer.is_elementwise, states)
