"""What a row of the tables says of a rule or an attack."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import agreement
import numpy as np
import torch
from torch import Tensor

from flt import federation

EXAMPLE = ((1.0, 0.1), (2.1, 1.0), (0.8, 2.0), (2.0, 2.2), (0.1, 1.1), (1.2, 0.9), (10.0, -10.0))
"""Seven updates, the last of an attacker, for which the golden vectors are known; one client is to be tolerated."""
EXAMPLE_ROOT = (1.0, 1.0)


class Golden(NamedTuple):
    """A result known from elsewhere, the settings with which it comes out, and the updates that it is made of."""

    expected: tuple[float, ...]
    settings: Mapping[str, Any] = MappingProxyType({})
    updates: tuple[tuple[float, ...], ...] = EXAMPLE


class Rule(NamedTuple):
    """A row of `RULES`: how a rule is made, and what it is to compute.

    Functions get the updates, the root update, the sizes of the clients' data and the number f of malicious clients to
    tolerate, in this order, and further settings by name.

    Attributes:
        name: What summaries call the rule.
        make: Makes the callback.
        function: The aggregate as `flt.functional` computes it.
        reference: The same in NumPy.
        golden: What is to come out for `EXAMPLE`.
        fewest: The least number of clients for which the rule is defined, as a function of f.
        compare: How a fuzzed aggregate is held against the reference, a function of tests/helpers/agreement.py.
        weights: Each client's share of the aggregate, in NumPy; None for a rule that says none.
        statistics: What becomes of the statistics of batch normalisation, given updates, statistics and f; None where
            it follows from the weights, or where they are a rule's rows like the updates.
        trust: Trust scores, in NumPy, given updates and root update; None for a rule without any.
        keeps_root: Whether the root update is in the mean, so that there is one even of nobody.
        selects: Whether the aggregate is the update of one client.
        robust: Whether two huge updates among ten leave the aggregate as long as the others.
        bounded: Whether the aggregate lies between what it is a mean of.
        unanimous: Whether clients who all send the root update get it.
        anonymous: Whether the order of the clients does not matter, but for updates that are exactly as good.
        translates: Whether adding a vector to all updates, the root update too, adds it to the aggregate.
        scales: Whether multiplying all updates, the root update too, by a positive number multiplies the aggregate.
        averages: Whether it is the mean of clients with as many examples each, where none is to be tolerated.
        follows: Whether updates that differ by their rounding alone never change the aggregate by more.
        sharpness: By what factor the aggregate may differ more than updates do that differ by their rounding.
        rounds: The aggregates of one round after the other, in NumPy, given a list of the rounds' (updates, root
            update, sizes of the clients' data, client ids, global model's parameters) and f; None for a rule without
            memory.
        sees_model: Whether the reference has a setting ``parameters``, those of the global model; zero unless given.
        knows: What references get in the root update's place, given a round of a run; None for the root update.
    """

    name: str
    make: Callable[..., federation.Aggregation]
    function: Callable[..., Tensor]
    reference: Callable[..., np.ndarray]
    golden: Sequence[Golden]
    fewest: Callable[[int], int] = lambda f: 1
    compare: Callable[..., None] = agreement.entries
    weights: Callable[..., np.ndarray] | None = None
    statistics: Callable[..., np.ndarray] | None = None
    trust: Callable[..., np.ndarray] | None = None
    keeps_root: bool = False
    selects: bool = False
    robust: bool = True
    bounded: bool = True
    unanimous: bool = True
    anonymous: bool = True
    translates: bool = False
    scales: bool = True
    averages: bool = False
    follows: bool = True
    sharpness: float = 1.0
    rounds: Callable[..., list[np.ndarray]] | None = None
    sees_model: bool = False
    knows: Callable[[federation.Round], Any] | None = None

    def expected(
        self, updates: np.ndarray, root: np.ndarray | None, sizes: np.ndarray, f: int, *, parameters: np.ndarray
    ) -> np.ndarray:
        """The aggregate of a first round, in NumPy, where the global model has these parameters."""
        model = {"parameters": parameters} if self.sees_model else {}
        return self.reference(updates, root, sizes, f, **model)

    @property
    def needs_root(self) -> bool:
        """Whether the server has to train on its root dataset for the rule."""
        return self.make().needs_root_update

    def in_rounds(self, given: Sequence[tuple[np.ndarray, ...]], f: int) -> list[np.ndarray]:
        """The aggregates of rounds that follow one another, in NumPy; ``given`` as in ``rounds``."""
        if self.rounds is not None:
            return self.rounds(given, f)
        return [self.expected(*each[:3], f, parameters=each[4]) for each in given]

    def tolerated(self, f: int, num_clients: int) -> int:
        """How many malicious clients the rule tolerates where f are expected, after some updates were dropped."""
        return next((fewer for fewer in range(f, 0, -1) if self.fewest(fewer) <= num_clients), 0)

    def of_statistics(
        self, updates: np.ndarray, statistics: np.ndarray, root: Any, root_statistics: Any, sizes: np.ndarray, f: int
    ) -> np.ndarray:
        """What the rule makes of the statistics of batch normalisation, in NumPy."""
        if self.statistics is not None:
            return self.statistics(updates, statistics, f)
        if self.weights is None:
            return self.reference(statistics, root_statistics, sizes, f)
        weights = self.weights(updates, root, sizes, f)
        return weights @ statistics + ((1 - weights.sum()) * root_statistics if self.keeps_root else 0.0)


class Draws:
    """Random numbers for a reference, as the attack draws them from the same generator."""

    def __init__(self, generator: torch.Generator, dtype: torch.dtype) -> None:
        self.generator, self.dtype = generator, dtype

    def uniform(self, *shape: int) -> np.ndarray:
        return torch.rand(*shape, generator=self.generator, dtype=self.dtype).double().numpy()

    def normal(self, *shape: int) -> np.ndarray:
        return torch.randn(*shape, generator=self.generator, dtype=self.dtype).double().numpy()

    def coordinates(self, *shape: int) -> np.ndarray:
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64).numpy()

    def chi(self, freedom: np.ndarray) -> np.ndarray:
        """Lengths of standard normal vectors in as many dimensions."""
        return np.sqrt(2 * torch._standard_gamma(torch.tensor(freedom / 2), generator=self.generator).numpy())

    def order(self, length: int) -> np.ndarray:
        return torch.randperm(length, generator=self.generator).numpy()


class Sent(NamedTuple):
    """What an attack is known to send, and all that it is made of.

    Attributes:
        updates: Honest updates.
        malicious: Who is malicious.
        expected: What is sent.
        settings: Settings with which it comes out.
        parameters: The global model; zero unless given.
        memory: What the attack has kept of earlier rounds.
        root: The root update; ones unless given.
    """

    updates: Sequence[Sequence[float]]
    malicious: Sequence[bool]
    expected: Sequence[Sequence[float]]
    settings: Mapping[str, Any] = MappingProxyType({})
    parameters: Sequence[float] | None = None
    memory: Mapping[str, Any] = MappingProxyType({})
    root: Sequence[float] | None = None


class Attack(NamedTuple):
    """A row of `ATTACKS`: how an attack is made, and what it is to send.

    Functions get the updates, who is malicious and the root update, in this order, then a generator or `Draws`, and
    further settings by name.

    Attributes:
        name: For people.
        make: Makes the callback.
        function: What is sent as `flt.functional` computes it; None for an attack that has no function there, or one
            of more than a round.
        reference: The same in NumPy; None for an attack that sends honest updates, or an optimum that its own test
            looks for.
        rounds: What is sent in rounds that follow one another, in NumPy, given a list of the rounds' (updates,
            malicious, client ids, global model's parameters), a list of their `Draws`, and settings; None for an
            attack without memory.
        rule: The server's rule where nobody says another, for an attack that asks one: function and reference have a
            setting of that name; None for an attack that asks none.
        stream: The attack's random stream of a round.
        settings: Further settings under which callback and function are to agree.
        golden: What is known to be sent, as `Sent`.
        labels: Labels of ten classes, and those on which a malicious client trains instead; None if there are no
            others.
        blind: Whether benign updates make no difference.
        needs_benign: Whether nothing is sent where nobody is benign.
        finite: Whether finite updates are answered by finite ones.
        precision: Relative and absolute error that rounding in float32 may cause.
    """

    name: str
    make: Callable[..., federation.Attack]
    function: Callable[..., Tensor] | None = None
    reference: Callable[..., np.ndarray] | None = None
    stream: str = "none"
    settings: Sequence[dict[str, Any]] = ()
    golden: Sequence[Sent] = ()
    labels: tuple[list[int], list[int]] | None = None
    blind: bool = False
    needs_benign: bool = False
    finite: bool = True
    precision: float = 1e-5
    rounds: Callable[..., list[np.ndarray]] | None = None
    rule: Callable[[Tensor], Tensor] | None = None

    @property
    def changes_updates(self) -> bool:
        """Whether the table says what it sends in place of honest updates."""
        return any(each is not None for each in (self.function, self.reference, self.rounds))
