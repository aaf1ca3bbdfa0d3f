"""The random numbers of a network's layers, such as the masks of dropout: functions of a seed and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from flt.errors import InputError

aten = torch.ops.aten
# Those that draw without being marked by torch.
UNMARKED = (aten.random, aten.random_, aten.binomial, aten._sample_dirichlet)
# From an operation without a generator to the same with one, by the names of overloads.
WITH_GENERATOR = {
    "default": "generator",
    "low": "low_generator",
    "low_dtype": "low_generator_dtype",
    "Tensor": "Tensor_generator",
}
# An odd number between seeds of neighbouring calls; those of a CPU's generators differ in 32 bits.
BETWEEN_CALLS = 0x9E3779B1


class RandomLayers(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is not typed
    """Has torch draw from streams of the clients, in the place of its global state, while a network is called.

    Each operation that draws has numbers of its own, which depend on the client's seed and on how many operations of
    the call have drawn before it. They are drawn on the CPU and in the order of the client's own contiguous tensor: a
    client has the same ones alone and together with others, in any layout of memory and in any thread. Masks of dropout
    are uniform numbers below the probability of keeping a value, which takes a CPU a quarter of the time of torch's.

    Args:
        seeds: A seed of each client whose examples are in the call.
        places: What indexes a client's part of a tensor.
        length: Leading dimension of a tensor with the parts of all clients; None where any tensor is of one client.

    Example:
        >>> with RandomLayers.alone(3):
        ...     one = torch.nn.functional.dropout(torch.ones(4))
        >>> with RandomLayers.vectorised([3, 5]):
        ...     both = torch.vmap(torch.nn.functional.dropout, randomness="different")(torch.ones(2, 4))
        >>> one.equal(both[0]), one.equal(both[1])
        (True, False)
    """

    def __init__(self, seeds: Sequence[int], places: Sequence[Any], length: int | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_drawn = 0
        self._clients = list(zip(places, seeds, strict=True))
        self._length = length
        self._source = torch.Generator()
        # Fused attention of GPUs draws inside of its kernels, where nobody can give it numbers.
        is_on_gpu: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        self._attention = sdpa_kernel(SDPBackend.MATH) if is_on_gpu else nullcontext()

    def __enter__(self) -> RandomLayers:
        self._attention.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._attention.__exit__(*error)

    @classmethod
    def alone(cls, seed: int) -> RandomLayers:
        """For a call with the examples of one client."""
        return cls([seed], [...], None)

    @classmethod
    def vectorised(cls, seeds: Sequence[int]) -> RandomLayers:
        """For a call that `torch.vmap` makes for all clients, with ``randomness="different"``."""
        return cls(seeds, range(len(seeds)), len(seeds))

    @classmethod
    def in_a_row(cls, seeds: Sequence[int], sizes: Sequence[int], *, width: int) -> RandomLayers:
        """For a call of dropout with the clients' batches one behind the other.

        Args:
            seeds: A seed of each client.
            sizes: Examples of each client; what follows them up to ``width`` is padding, for which nothing is drawn.
            width: Examples of each batch with its padding.
        """
        places = [slice(client * width, client * width + size) for client, size in enumerate(sizes)]
        return cls(seeds, places, len(seeds) * width)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in the place of each of its operations."""
        kwargs = kwargs or {}
        if not _draws(func, args, kwargs):
            return func(*args, **kwargs)
        self.num_drawn += 1
        if func.overloadpacket in (aten.bernoulli, aten.bernoulli_):
            return self._bernoulli(func, *args, **kwargs)
        if func is aten.native_dropout.default:
            return self._dropout(*args)
        return self._each(func, args, kwargs)

    # Operations

    def _bernoulli(
        self, func: Any, given: Tensor, p: float | Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Ones with a probability: ``p``, or the numbers given."""
        if p is None:
            p = given if func is aten.bernoulli.default else 0.5
        numbers = self._uniform(given.shape)
        ones = numbers.to(p.device) < p if isinstance(p, Tensor) else numbers < p
        return given.copy_(ones) if func.overloadpacket is aten.bernoulli_ else ones.to(given)

    def _dropout(self, given: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
        """The dropout of GPUs, with the mask that a CPU's has."""
        kept = (self._uniform(given.shape) < 1 - p).to(given.device)
        return given * kept * (0.0 if p == 1 else 1 / (1 - p)), kept

    def _uniform(self, shape: torch.Size) -> Tensor:
        """Numbers from 0 to 1 for all clients."""
        self._check_length(shape)
        numbers = torch.zeros(shape)
        for place, source in self._sources():
            numbers[place].uniform_(generator=source)
        return numbers

    def _each(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of any other operation, which is called for one client after the other."""
        draw, written = _with_generator(func), [_is_written(each) for each in func._schema.arguments[: len(args)]]
        shaped = [each.shape if isinstance(each, Tensor) else each for each in args if isinstance(each, Tensor | list)]
        for shape in shaped or [[]]:
            self._check_length(shape)
        device = next((each.device for each in args if isinstance(each, Tensor)), kwargs.get("device"))
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("cpu"), "pin_memory": False}
        results = []
        for place, source in self._sources():
            own = [_part(each, place) for each in args]
            results.append(draw(*own, **{**kwargs, "generator": source}))
            for whole, part, is_written in zip(args, own, written, strict=True):
                if is_written:
                    whole[place].copy_(part)
        if written and written[0]:
            return args[0]
        return (results[0] if self._length is None else torch.stack(results)).to(device)

    # Clients

    def _sources(self) -> Iterator[tuple[Any, torch.Generator]]:
        """Each client's place, and the generator of its numbers for this operation."""
        for place, seed in self._clients:
            yield place, self._source.manual_seed((seed + self.num_drawn * BETWEEN_CALLS) % 2**63)

    def _check_length(self, shape: Sequence[int]) -> None:
        """Raises an error for numbers that are not drawn for each client."""
        if self._length not in (None, *shape[:1]):
            raise NotImplementedError(f"numbers of the shape {list(shape)} are drawn for several clients together")


def _draws(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation draws from torch's global state."""
    if torch.Tag.nondeterministic_seeded not in func.tags and func.overloadpacket not in UNMARKED:
        return False
    if kwargs.get("generator") is not None:
        return False
    names, defaults = zip(*((each.name, each.default_value) for each in func._schema.arguments), strict=True)
    given = {**dict(zip(names, defaults, strict=True)), **dict(zip(names, args, strict=False)), **kwargs}
    # Fused attention and recurrent layers on GPUs, which may have no dropout; and dropout in an evaluation.
    return not (given.get("dropout_p") == 0 or given.get("dropout") == 0 or given.get("train") is False)


def _with_generator(func: Any) -> Any:
    """The same operation with a generator among its arguments."""
    if any(each.name == "generator" for each in func._schema.arguments):
        return func
    overload = WITH_GENERATOR.get(func._overloadname, "")
    if overload not in func.overloadpacket.overloads():
        raise InputError(f"{func.overloadpacket} draws random numbers in a way that could not be repeated")
    return getattr(func.overloadpacket, overload)


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _part(value: Any, place: Any) -> Any:
    """A client's part of an argument: a copy on the CPU of a tensor's, the size of its own of a size."""
    if isinstance(value, Tensor):
        return value[place].detach().to("cpu", copy=True).contiguous()
    if isinstance(value, list):
        return list(torch.empty(value, device="meta")[place].shape)
    return value
