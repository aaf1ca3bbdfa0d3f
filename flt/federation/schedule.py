"""Who attacks when: a function of the seed and the round alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from flt.data.examples import ClientData
from flt.errors import InputError, check_count
from flt.random import generator


@dataclass(frozen=True)
class Schedule:
    """In which rounds malicious clients attack, and how many of them do.

    Args:
        start_round: First round of the attack; rounds are counted from 0.
        end_round: First round after the attack; None for the end of the run.
        every: They attack in one of so many rounds, counted from the first one.
        ramp: Rounds over which the number of those that attack rises to all of them; 0 for all from the first round on.
        redraw: Whether malicious clients are drawn anew, among all clients, in each round.

    Raises:
        InputError: If an argument is out of range.

    Example:
        >>> schedule = Schedule(start_round=10, end_round=20, every=2, ramp=4)
        >>> [schedule.count(number, 8) for number in (9, 10, 11, 12, 14, 18, 20)]
        [0, 2, 0, 6, 8, 8, 0]
    """

    start_round: int = 0
    end_round: int | None = None
    every: int = 1
    ramp: int = 0
    redraw: bool = False

    def __post_init__(self) -> None:
        for name in ("start_round", "ramp"):
            if getattr(self, name) < 0:
                raise InputError(f"attack.{name}={getattr(self, name)} must be 0 or more")
        check_count("attack.every", self.every)
        if self.end_round is not None and self.end_round <= self.start_round:
            raise InputError(
                f"attack.end_round={self.end_round} must be greater than attack.start_round={self.start_round}: it is"
                " the first round without the attack"
            )

    @property
    def is_constant(self) -> bool:
        """Whether the same clients attack in every round."""
        return self == ALWAYS

    def count(self, number: int, num_malicious: int) -> int:
        """How many of the malicious clients attack in a round.

        The number rises linearly, rounded up, from ``1 / ramp`` of them in the first round to all in round ``ramp``.

        Args:
            number: The round, counted from 0.
            num_malicious: How many there are in all.
        """
        past = number - self.start_round
        is_over = self.end_round is not None and number >= self.end_round
        if past < 0 or is_over or past % self.every:
            return 0
        return num_malicious if past + 1 >= self.ramp else -(-num_malicious * (past + 1) // self.ramp)

    def describe(self) -> str:
        """What differs from an attack by the same clients in every round, in words.

        Example:
            >>> Schedule(end_round=50, every=5, redraw=True).describe()
            'from round 0 until round 50, in one of 5 rounds, drawn anew in each'
        """
        words = []
        if self.start_round or self.end_round is not None:
            end = "" if self.end_round is None else f" until round {self.end_round}"
            words.append(f"from round {self.start_round}{end}")
        words += [f"in one of {self.every} rounds"] * (self.every > 1)
        words += [f"more and more over {self.ramp} rounds"] * (self.ramp > 1)
        words += ["drawn anew in each"] * self.redraw
        return ", ".join(words)


ALWAYS = Schedule()
"""The same clients in every round."""


@dataclass(frozen=True)
class Group:
    """Malicious clients that make one attack.

    Attributes:
        candidates: Who may ever be one of them, boolean of shape ``[num_clients]``.
        num_malicious: How many there are at a time, before the schedule holds some of them back.
        schedule: When they attack.
        seed: The run's seed.
        first: How many of the candidates, in the order in which they are drawn, are malicious in groups before it.
        has_momentum: Whether they have their momentum as everyone when they attack, where clients have one.
        clients: Local data on which they train when they attack, where those of ``federation.clients`` are not theirs:
            groups whose clients are drawn anew each have their own.
    """

    candidates: Tensor
    num_malicious: int
    schedule: Schedule
    seed: int
    first: int = 0
    has_momentum: bool = True
    clients: ClientData | None = field(default=None, repr=False)

    def attackers(self, number: int) -> Tensor:
        """Who attacks in a round, boolean of shape ``[num_clients]``."""
        count = self.schedule.count(number, self.num_malicious)
        if count == self.num_malicious and not self.schedule.redraw:
            return self.candidates
        mask = torch.zeros_like(self.candidates)
        if count:
            order = _order(len(mask), self.seed, number if self.schedule.redraw else 0)
            mask[order[self.candidates[order]][self.first : self.first + count]] = True
        return mask


def deal_out(
    sizes: Sequence[int],
    schedules: Sequence[Schedule],
    num_clients: int,
    *,
    seed: int,
    order: Tensor | None = None,
) -> tuple[Group, ...]:
    """Groups of malicious clients of which no client is in two at a time.

    Groups that stay the same are dealt out first, in a random order; the others are drawn among the rest, each round.

    Args:
        sizes: Malicious clients of each group.
        schedules: The schedule of each.
        num_clients: Clients in all.
        seed: The run's seed.
        order: Which clients are dealt out, in this order; None for all of them, in a random one.

    Example:
        >>> fixed, drawn = deal_out([1, 2], [Schedule(), Schedule(redraw=True)], 4, seed=0)
        >>> [(fixed.attackers(number).long() + 2 * drawn.attackers(number)).tolist() for number in range(3)]
        [[2, 2, 0, 1], [2, 0, 2, 1], [2, 2, 0, 1]]
    """
    order = _order(num_clients, seed, 0) if order is None else order
    starts = {False: 0, True: 0}
    free = torch.ones(num_clients, dtype=torch.bool)
    free[order[: sum(size for size, schedule in zip(sizes, schedules, strict=True) if not schedule.redraw)]] = False
    groups = []
    for size, schedule in zip(sizes, schedules, strict=True):
        first = starts[schedule.redraw]
        starts[schedule.redraw] += size
        if schedule.redraw:
            groups.append(Group(free if size else torch.zeros_like(free), size, schedule, seed, first))
            continue
        own = torch.zeros_like(free)
        own[order[first : first + size]] = True
        groups.append(Group(own, size, schedule, seed))
    return tuple(groups)


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """A whole number shared out in proportion to weights, without a remainder; all zero where the weights are.

    Example:
        >>> shares(5, [0.1, 0.1]), shares(4, [0.2]), shares(4, [0.0])
        ([2, 3], [4], [0])
    """
    sums = [sum(weights[:end]) for end in range(len(weights) + 1)]
    edges = [round(total * part / sums[-1]) if sums[-1] else 0 for part in sums]
    return [end - start for start, end in pairwise(edges)]


def _order(num_clients: int, seed: int, number: int) -> Tensor:
    """All clients in the order in which a round draws malicious ones; that of round 0 stands for the whole run."""
    return torch.randperm(num_clients, generator=generator(seed, "malicious", number))
