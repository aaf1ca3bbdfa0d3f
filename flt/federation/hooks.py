"""What passes through a round, and the base classes of everything that plugs into it.

A round calls these hooks, each on every callback that has it, in this order::

    on_federation    once a run: data, malicious clients (an attack poisons local data here)
    on_client_updates           what the clients send (an attack crafts malicious updates here)
    on_updates_received         what the server makes of them before the rule (clipping, say)
    aggregate                   the rule; there is exactly one
    on_round_end                metrics

A hook returns the new value, or None for "unchanged"; nothing is changed in place.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from lightning.pytorch import Callback, Trainer

from flt.errors import InputError
from flt.federation.round import Aggregate, Federation, Round

Value = TypeVar("Value")


class FederatedCallback(Callback):
    """A Lightning callback that also takes part in rounds; override the hooks you need."""

    needs_root_update: bool = False
    """Whether rounds have to compute the server's own update."""

    by_client: bool = False
    """Whether ``on_client_updates`` and ``on_updates_received`` treat each client by itself, so that a round of very
    many clients may come to them in parts. Random draws then need a stream for each client: a stream that all share
    would begin anew in every part. A class that overrides one of the hooks says so anew."""

    @property
    def label(self) -> str:
        """What summaries and figures call it."""
        return type(self).__name__

    def on_federation(self, federation: Federation) -> Federation | None:
        """Once, before the first round."""

    def on_client_updates(self, round: Round) -> Round | None:
        """What the clients send."""

    def on_updates_received(self, round: Round) -> Round | None:
        """What the server makes of the updates before the rule sees them, such as clipping."""

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """After the global model has taken its step; ``round`` is what the rule saw.

        Of a round that came in parts ``round.updates`` and ``round.statistics`` have no columns left.
        """


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The trainer's callbacks, in the order in which they are called."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def only(trainer: Trainer, kind: type[Any]) -> Any:
    """The one callback of a kind, None if there is none.

    Raises:
        InputError: If there are several.
    """
    found = [callback for callback in callbacks_of(trainer) if isinstance(callback, kind)]
    if len(found) > 1:
        names = ", ".join(type(callback).__name__ for callback in found)
        raise InputError(f"trainer.callbacks holds several of kind {kind.__name__} ({names}): keep one")
    return found[0] if found else None


def call_hook(callbacks: Iterable[Callback], name: str, value: Value) -> Value:
    """Passes ``value`` through the hook ``name`` of every callback that has it."""
    for callback in callbacks:
        hook = getattr(callback, name, None)
        if hook is not None:
            changed = hook(value)
            value = value if changed is None else changed
    return value
