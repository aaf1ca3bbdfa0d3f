"""Base class of the attacks."""

from abc import ABC

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.clients.one_by_one import LocalUpdates
from flt.data.backdoor import Backdoor
from flt.data.examples import ClientData
from flt.errors import InputError, check_choice
from flt.federation.hooks import FederatedCallback, by_client, has_own
from flt.federation.local import LocalWork
from flt.federation.memory import Memory
from flt.federation.returned import check_crafted, check_poisoned, left_alone
from flt.federation.round import Federation, Round
from flt.federation.schedule import ALWAYS, Schedule
from flt.functional.attacks.knowledge import Knowledge


class Attack(FederatedCallback, ABC):
    """Base class of the attacks: override `poison` to change local data, `train` local training, `craft` updates.

    Args:
        fraction: Fraction of the clients that are malicious; ``round(fraction * num_clients)`` of them, drawn once by
            the seed.
        knowledge: What malicious clients know of the round: the updates of all benign clients ("full") or their own
            honest ones alone ("partial").
        start_round: First round in which they attack, counted from 0; before it they follow the protocol.
        end_round: First round in which they no longer attack; null for the end of the run.
        every: They attack in one of so many rounds, counted from the first one.
        ramp: Rounds over which the number of clients that attack rises from ``1 / ramp`` of the malicious ones to all,
            in a random order; 0 for all from the first round on.
        redraw: Whether as many malicious clients are drawn anew, among all clients, in each round.
        momentum: Whether malicious clients have their momentum when they attack, as everyone has with
            model.client_momentum; else their steps are by the gradient alone, and so is what an attack starts from.

    Raises:
        InputError: If ``fraction`` is outside [0, 1), ``knowledge`` is another word, or the schedule is none.
    """

    active: bool = True
    """Whether the clients chosen by ``fraction`` are malicious indeed."""

    uses_knowledge: bool = False
    """Whether it makes a difference to the attack what it knows of the benign clients."""

    has_to_know: str | None = None
    """What it does that takes the benign clients' updates, of an attack that cannot do without; None of others."""

    draws_by_row: bool = False
    """Whether `craft` draws random numbers for each malicious client of a round, which it shares with no other."""

    schedule: Schedule = ALWAYS
    """When it takes place."""

    momentum: bool = True
    """Whether its malicious clients have their momentum when they attack."""

    def __init__(
        self,
        fraction: float = 0.2,
        knowledge: Knowledge = "full",
        start_round: int = 0,
        end_round: int | None = None,
        every: int = 1,
        ramp: int = 0,
        redraw: bool = False,
        momentum: bool = True,
    ) -> None:
        if ABC in type(self).__bases__:
            raise InputError(f"attack={type(self).__name__} is what attacks are built on, and does nothing itself")
        if not 0.0 <= fraction < 1.0:
            raise InputError(f"attack.fraction={fraction} must be at least 0 and less than 1")
        check_choice("attack.knowledge", knowledge, Knowledge)
        if knowledge == "partial" and self.has_to_know is not None:
            raise InputError(
                f"attack.knowledge=partial: {type(self).__name__} {self.has_to_know}, which it has to know; use full"
            )
        if knowledge == "partial" and not self.uses_knowledge:
            rank_zero_warn(f"attack.knowledge=partial has no effect: {self.label} knows no other client's update")
        self.fraction = fraction
        self.knowledge: Knowledge = knowledge
        self.momentum = momentum
        self.schedule = Schedule(start_round, end_round, every, ramp, redraw)

    @property
    def members(self) -> tuple["Attack", ...]:
        """The attacks that it is made of, each with its own malicious clients; itself where it is one alone."""
        return (self,)

    @property
    def works_alone(self) -> bool:
        """Whether a malicious client can make it with what it has itself: its data, the global model, its memory."""
        whole = ("prepare", "on_federation", "on_client_updates")
        return bool(getattr(self.craft, "by_client", False)) and not any(map(self.overrides, whole))

    def overrides(self, name: str) -> bool:
        """Whether it, or an attack that it is made of, has a hook of its own where `Attack` does nothing."""
        return any(has_own(member, name, Attack) for member in self.members)

    def check(self, federation: Federation) -> None:
        """Raises an `InputError`, or warns, where the settings do not fit the federation; called before a run's start.

        Args:
            federation: The clients, with the data that they have before the attack.
        """

    def backdoor(self, default: Backdoor) -> Backdoor | None:
        """The backdoor whose success is measured, None if the attack has none; ``default`` is the data set's own."""
        return None

    def poison(self, federation: Federation) -> ClientData | None:
        """The local data with what the clients of ``federation.malicious`` train on when they attack."""

    def current_backdoor(self, default: Backdoor, memory: Memory) -> Backdoor | None:
        """The backdoor whose success is measured after a round, where a trigger is learnt.

        Args:
            default: The data set's own.
            memory: What the attack has kept by then; empty before the first round.
        """
        return self.backdoor(default)

    def prepare(self, local: LocalWork) -> Memory | None:
        """What all malicious clients of a round share, made before anyone trains, in every round and every process.

        Args:
            local: The work of those that attack in the round, of nobody where none does; they have not trained yet.

        Returns:
            The attack's memory from now on; None keeps what there is.
        """

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Local training of malicious clients in their own way.

        It is called after everyone has trained as usual, in each part of a round that has malicious clients, so that
        benign clients' updates stay what they are.

        Args:
            local: The work of the part's malicious clients.

        Returns:
            Their updates, such as ``local.sgd(...)``; None keeps those of usual training.
        """

    @by_client
    def craft(self, round: Round) -> Tensor | Round | None:
        """What the server receives, given every client's honest update.

        Args:
            round: The round; ``round.malicious``, who attacks in it, is on the device of the updates, ``round.rule``
                what the server would make of any updates, ``round.memory`` what the attack has kept.

        Returns:
            Updates of shape ``[num_clients, num_params]`` with the benign rows as they were; an attack that keeps
            something returns ``round.replace(updates=..., memory=...)``. None leaves everything as it is.
        """

    def on_federation(self, federation: Federation) -> Federation | None:
        """Checks the settings and poisons the local data."""
        self.check(federation)
        clients = federation.clients
        with left_alone(f"{type(self).__name__}.poison", "the clients' data", (clients.features, clients.labels)):
            poisoned = self.poison(federation)
        if poisoned is None:
            return None
        check_poisoned(f"{type(self).__name__}.poison", poisoned, federation)
        return federation.replace(clients=poisoned, honest=federation.clients)

    @by_client
    def on_client_updates(self, round: Round) -> Round | None:
        """Crafts the malicious updates."""
        malicious = round.malicious.to(round.updates.device)
        crafted = self.craft(round if malicious is round.malicious else round.replace(malicious=malicious))
        if isinstance(crafted, Round):
            return crafted.replace(malicious=round.malicious)
        if crafted is None:
            return None
        return round.replace(updates=check_crafted(f"{type(self).__name__}.craft", crafted, round))
