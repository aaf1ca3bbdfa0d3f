"""The hooks by which callbacks take part in a round.

A round calls them in this order, each on the callbacks as listed, then on the attack, then on the rule::

    on_federation           once a run: data, malicious clients (an attack poisons local data here)
    on_client_updates       what the clients send (an attack crafts malicious updates here)
    on_updates_received     what the server makes of them before the rule (clipping, say)
    aggregate               the rule; there is exactly one
    on_round_end            metrics

A hook returns the new value, or None for "unchanged"; nothing is changed in place. What a callback has to remember from
round to round it finds as ``round.memory`` and gives back with the round it returns.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from lightning.pytorch import Callback, Trainer

from flt.federation.round import Aggregate, Federation, Round

Hook = TypeVar("Hook", bound=Callable[..., Any])
MARKED = ("on_client_updates", "on_updates_received", "craft")
"""Names of the hooks that `by_client` may mark."""


def by_client(hook: Hook) -> Hook:
    """Marks a hook that treats each client by itself, so that a round of very many clients may come to it in parts.

    Random draws then need a stream for each client: a stream that all share would begin anew in every part. Such a hook
    keeps no memory. An override loses the mark, and says anew what it does.
    """
    hook.by_client = True  # type: ignore[attr-defined]
    return hook


class FederatedCallback(Callback):
    """A Lightning callback that also takes part in rounds; override the hooks you need."""

    needs_root_update: bool = False
    """Whether rounds have to compute the server's own update."""

    needs_root_data: bool = False
    """Whether rounds have to come with ``round.server``, which computes with data of the server's own."""

    def __init_subclass__(cls, **settings: Any) -> None:
        """Marks the hooks of a class written for version 0.1, which says ``by_client = True`` of all of them."""
        super().__init_subclass__(**settings)
        if vars(cls).get("by_client"):
            for hook in (vars(cls)[name] for name in MARKED if name in vars(cls)):
                by_client(hook)

    @property
    def label(self) -> str:
        """What summaries and figures call it."""
        return type(self).__name__

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """Numbers of four bytes that its memory will hold from round to round, said and checked before the first one.

        Those that grow neither with the clients nor with the parameters of the model need not be counted.

        Args:
            federation: The clients.
            num_params: Length of an update.
        """
        return 0

    def on_federation(self, federation: Federation) -> Federation | None:
        """Once, before the first round."""

    @by_client
    def on_client_updates(self, round: Round) -> Round | None:
        """What the clients send."""

    @by_client
    def on_updates_received(self, round: Round) -> Round | None:
        """What the server makes of the updates before the rule sees them, such as clipping."""

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """After the global model has taken its step; ``round`` is what the rule saw.

        Of a round that came in parts ``round.updates`` and ``round.statistics`` have no columns left.
        """


def has_own(callback: Any, name: str, base: type = FederatedCallback) -> bool:
    """Whether a callback's hook is another than that of a base class, which leaves everything as it is.

    Args:
        callback: The callback.
        name: The hook.
        base: The base class.
    """
    hook = getattr(callback, name, None)
    return hook is not None and getattr(hook, "__func__", hook) is not getattr(base, name)
