"""Rounds in which clients send anything: strategies for `hypothesis`, and what takes such a round to a rule."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from flt.clients.batches import LocalBatches
from flt.clients.one_by_one import LocalUpdates
from flt.data import ClientData, Examples, FeatureTrigger
from flt.federation import Aggregate, Aggregation, Backdoor, FederatedCallback, Federation, Memory, Round
from flt.federation.round import BY_CLIENT
from flt.functional import median
from flt.server.processes import Processes
from flt.server.reception import Reception

LARGEST = 3.3e38  # with a margin to the end of float32 for the rounding of a mean of such entries
NOT_FINITE = ("nan", "inf", "-inf", "inf and -inf", "one nan", "one inf")
TINY = ("subnormal", "1e-30")
HUGE = ("1e30", "largest", "largest and opposite", "one largest")
HARMLESS = ("normal", "zero", "root", "opposite to root", "copy", "one entry")
KINDS = (*HARMLESS, *TINY, *HUGE, *NOT_FINITE)


def row_of(kind: str, root: np.ndarray, before: Sequence[np.ndarray], draw: np.random.Generator) -> np.ndarray:
    """What a client sends, given the root update and what those before it send."""
    size = len(root)

    def normal() -> np.ndarray:
        return draw.normal(size=size)

    def signs() -> np.ndarray:
        return draw.choice([-1.0, 1.0], size)

    def normal_but_for(value: float | np.ndarray) -> np.ndarray:
        return np.where(np.arange(size) == draw.integers(size), value, normal())

    rows = {
        "normal": normal,
        "zero": lambda: np.zeros(size),
        "root": lambda: root,
        "opposite to root": lambda: -root,
        "copy": lambda: before[draw.integers(len(before))] if before else normal(),
        "one entry": lambda: normal() * (np.arange(size) == draw.integers(size)),
        "subnormal": lambda: signs() * draw.integers(1, 100, size) * 1.4e-45,
        "1e-30": lambda: 1e-30 * normal(),
        "1e30": lambda: 1e30 * normal(),
        "largest": lambda: np.full(size, LARGEST) * draw.choice([-1.0, 1.0]),
        "largest and opposite": lambda: LARGEST * signs(),
        "one largest": lambda: normal_but_for(LARGEST * signs()),
        "nan": lambda: np.full(size, np.nan),
        "inf": lambda: np.full(size, np.inf),
        "-inf": lambda: np.full(size, -np.inf),
        "inf and -inf": lambda: np.inf * signs(),
        "one nan": lambda: normal_but_for(np.nan),
        "one inf": lambda: normal_but_for(np.inf * signs()),
    }
    return rows[kind]()


@dataclass(frozen=True)
class Case:
    """A round as it comes from the clients, and how many of them are in a part of it."""

    round: Round
    clients_per_part: int

    @property
    def finite(self) -> np.ndarray:
        """Which clients send nothing but finite numbers."""
        sent = torch.cat([self.round.updates, self.round.statistics], dim=1)
        return np.isfinite(sent.numpy()).all(axis=1)


@st.composite
def cases(draw: st.DrawFn, kinds: Sequence[str] = KINDS, roots: Sequence[str] = ("normal",)) -> Case:
    """Rounds of up to 12 clients and 20 parameters, the clients of up to four of the ``kinds``.

    Args:
        draw: What hypothesis draws with.
        kinds: What clients may send.
        roots: What the root update may be.
    """
    num_clients, num_params = draw(st.integers(1, 12)), draw(st.integers(1, 20))
    mixed = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    root_kind = draw(st.sampled_from(roots))
    # The rest hypothesis need not see: it would take most of the time.
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    chosen = tuple(numbers.choice(mixed, num_clients).tolist())
    root = row_of(root_kind, np.ones(num_params), [], numbers)
    updates: list[np.ndarray] = []
    for kind in chosen:
        updates.append(row_of(kind, root, updates, numbers))
    num_statistics = int(numbers.choice([0, 0, 2]))
    odd = numbers.choice([*mixed, *["normal"] * 4], num_clients)
    statistics = [row_of(kind, np.ones(num_statistics), [], numbers) for kind in odd] if num_statistics else []
    federation = federation_of(
        num_examples=torch.tensor(numbers.integers(0, 50, num_clients)),
        malicious=torch.tensor(numbers.permutation(num_clients) < numbers.integers(0, num_clients + 1)),
    )
    round = round_of(federation, _float32(updates, num_params), _float32([root], num_params)[0]).replace(
        statistics=_float32(statistics, num_statistics) if statistics else torch.zeros(num_clients, 0),
        root_statistics=torch.ones(num_statistics),
    )
    return Case(round, int(numbers.integers(1, num_clients + 1)))


def _float32(rows: Sequence[np.ndarray], width: int) -> Tensor:
    return torch.tensor(np.array(rows).reshape(len(rows), width), dtype=torch.float32)


def federation_of(*, num_examples: Tensor, malicious: Tensor) -> Federation:
    """All clients take part in every round, and rules expect the malicious ones."""
    num_clients = len(malicious)
    return Federation(
        clients=ClientData(torch.zeros(0, 1), torch.zeros(0), torch.zeros(num_clients + 1, dtype=torch.long)),
        num_examples=num_examples,
        malicious=malicious,
        num_byzantine=int(malicious.sum()),
        clients_per_round=num_clients,
        num_classes=3,
        seed=0,
        backdoor=Backdoor(FeatureTrigger([0]), 1),
    )


def round_of(federation: Federation, updates: Tensor, root_update: Tensor) -> Round:
    """The first round, for a network without statistics; attacks that ask the rule are told the median."""
    return Round(
        number=0,
        client_ids=torch.arange(len(updates)),
        malicious=federation.malicious,
        num_examples=federation.num_examples,
        updates=updates,
        root_update=root_update,
        losses=torch.ones(len(updates)),
        statistics=torch.zeros(len(updates), 0),
        root_statistics=torch.zeros(0),
        parameters=root_update.new_zeros(updates.shape[1]),
        federation=federation,
        server=Near(root_update),
        rule=median,
    )


@dataclass(frozen=True)
class Near:
    """A server to whom a model is the better, the nearer its update is to the root update.

    The loss on its only example is the squared distance. Whatever it trains on gives the root update.
    """

    root_update: Tensor

    @property
    def root(self) -> Examples:
        return Examples(torch.zeros(1, 1), torch.zeros(1, dtype=torch.long))

    def logits(self, updates: Tensor, statistics: Tensor | None = None) -> Tensor:
        losses = (updates.double() - self.root_update.double()).square().sum(dim=-1)
        return torch.stack([0 * losses, losses + (-torch.expm1(-losses)).log()], dim=-1)[..., None, :]

    def train(
        self, sets: ClientData, indices: Tensor | None = None, *, stand_for: Tensor | None = None
    ) -> LocalUpdates:
        count = sets.num_clients if indices is None else len(indices)
        return LocalUpdates(self.root_update.expand(count, -1), torch.zeros(count), torch.zeros(count, 0))

    def shared(self, fraction: float) -> ClientData:
        return self.root_parts(1)

    def root_parts(self, num_parts: int) -> ClientData:
        return ClientData(torch.zeros(0, 1), torch.zeros(0), torch.zeros(num_parts + 1, dtype=torch.long))


@dataclass(frozen=True)
class Work:
    """The local work of a round's attackers, who find what they send in a case however they train."""

    round: Round
    memory: Memory

    @property
    def client_ids(self) -> Tensor:
        return self.round.client_ids[self.round.malicious]

    @property
    def parameters(self) -> Tensor:
        return self.round.parameters

    @property
    def honest(self) -> LocalBatches:
        """Of clients that have no example."""
        count, no_label = len(self.client_ids), torch.zeros(len(self.client_ids), 1, 0, dtype=torch.long)
        return LocalBatches(torch.zeros(count, 1, 0, 1), no_label, None, torch.zeros(count, 1, dtype=torch.long))

    def sgd(self, batches: LocalBatches, **settings: object) -> LocalUpdates:
        return LocalUpdates(*(getattr(self.round, name)[self.round.malicious] for name in LocalUpdates._fields))


@dataclass(frozen=True)
class Cohort:
    """Clients that have sent a case's updates."""

    case: Case

    @property
    def federation(self) -> Federation:
        return self.case.round.federation

    @property
    def training(self) -> SimpleNamespace:
        return SimpleNamespace(flat=SimpleNamespace(num_params=self.case.round.updates.shape[1]))

    @property
    def clients_per_part(self) -> int:
        return self.case.clients_per_part

    def work_of_attackers(self, number: int, client_lr: float, memory: Memory) -> Work:
        return Work(self.case.round, memory)

    def in_parts(
        self, number: int, client_lr: float, *, clients_per_part: int, processes: Processes, attackers: None = None
    ) -> Iterator[Round]:
        """The case's round, as many clients at a time; nobody trains."""
        whole = self.case.round
        for start in range(0, len(whole), clients_per_part):
            part = torch.arange(start, min(start + clients_per_part, len(whole)))
            yield whole.replace(**{name: getattr(whole, name)[part] for name in BY_CLIENT})


@contextmanager
def without_advice() -> Iterator[None]:
    """Lets pass what users are told about rounds like these; any other warning stays an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def receive(case: Case, rule: Aggregation, *others: FederatedCallback) -> tuple[Round, Aggregate | None]:
    """Takes a case through every hook to the rule."""
    with without_advice():
        return Reception(Cohort(case), rule, [*others, rule], Processes()).aggregate(0, 0.1)
