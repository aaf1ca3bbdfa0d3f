"""Mimic: all malicious clients copy one benign client, whose data then count for more than they should."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import known, mean_of, sent
from flt.functional.blocks import column_blocks, float64_blocks

Pick = Literal["largest", "smallest"]


class Learnt(NamedTuple):
    """What the attacker has learnt of the benign updates.

    Attributes:
        mean: Mean of the rounds' mean updates, float64 of shape ``[num_params]``.
        direction: The direction along which benign updates differ most, as far as is known (z), of the same shape.
        num_rounds: Rounds in which it learnt.
        client: Id of the client that was chosen last.
    """

    mean: Tensor
    direction: Tensor
    num_rounds: int
    client: int


def mimic(
    updates: Tensor,
    malicious: Tensor,
    client_ids: Tensor,
    *,
    learnt: Learnt | None = None,
    warmup: int = 1,
    pick: Pick = "largest",
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Learnt | None]:
    """Updates of all clients with those of the malicious ones replaced by one benign client's.

    It is the client i with the largest ``<g_i, z>``. The direction z is learnt in the first ``warmup`` rounds: with the
    mean update mu of the benign clients in all of them and ``C(z) = sum_i <g_i - mu, z> (g_i - mu)``, it is
    ``C(z) / |C(z)|`` of a random z in the first round, in round t from 0 on the unit vector along
    ``t z + C(z) / |C(z)|``. Thereafter the client stays the same; in a round without it another one is chosen.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        client_ids: Whose updates they are, shape ``[num_clients]``.
        learnt: What was learnt in earlier rounds; None in the first one.
        warmup: Rounds of learning, 1 or more.
        pick: "largest", or "smallest" for the client at the other end.
        start: The z with which it starts, shape ``[num_params]``; None for a random one.
        generator: Source of that: ``[num_params]`` normal numbers.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``, and what was learnt.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.

    Example:
        >>> honest = torch.tensor([[1.0], [3.0], [9.0]])
        >>> sent, learnt = mimic(honest, torch.tensor([False, False, True]), torch.arange(3), start=torch.ones(1))
        >>> sent[2], learnt.client
        (tensor([3.]), 1)
    """
    check_choice("pick", pick, Pick)
    rows = known(updates, malicious)
    if not len(rows):
        return updates, learnt
    present = client_ids[rows.to(client_ids.device)]
    if learnt is None or learnt.num_rounds < warmup:
        mean, direction = _learn(updates, rows, learnt, start, generator)
        place = _picked(updates, rows, direction, pick)
        learnt = Learnt(mean, direction, learnt.num_rounds + 1 if learnt else 1, int(present[place]))
    else:
        own = (present == learnt.client).nonzero().flatten()
        place = int(own[0]) if len(own) else _picked(updates, rows, learnt.direction, pick)
    return sent(updates, malicious, updates[rows[place]]), learnt


def _learn(
    updates: Tensor, rows: Tensor, learnt: Learnt | None, start: Tensor | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """The mean and the direction after one more round."""
    mean = mean_of(updates, rows)
    if learnt is None:
        if start is None:
            start = torch.randn(len(mean), generator=generator, device=updates.device, dtype=updates.dtype)
        return mean, _unit(_turned(updates, rows, mean, start.double()))
    t, z = learnt.num_rounds, learnt.direction
    mean = (t * learnt.mean + mean) / (t + 1)
    return mean, _unit(t * z + _unit(_turned(updates, rows, mean, z)))


def _picked(updates: Tensor, rows: Tensor, direction: Tensor, pick: Pick) -> int:
    """The place among the known updates of the one that is chosen; the first of those that are as good."""
    along = _along(updates, rows, torch.zeros_like(direction), direction)
    return int(along.argmax() if pick == "largest" else along.argmin())


def _turned(updates: Tensor, rows: Tensor, mean: Tensor, direction: Tensor) -> Tensor:
    """``C(z) = sum_i <g_i - mu, z> (g_i - mu)``, shape ``[num_params]``."""
    along = _along(updates, rows, mean, direction)
    means = column_blocks(mean[None])
    values = zip(float64_blocks(updates, rows), means, strict=True)
    return torch.cat([along @ block.sub_(own[0]) for block, own in values])


def _along(updates: Tensor, rows: Tensor, mean: Tensor, direction: Tensor) -> Tensor:
    """``<g_i - mu, z>`` of some updates, float64, shape ``[num_known]``."""
    along = mean.new_zeros(len(rows))
    pieces = column_blocks(torch.stack([mean, direction]))
    for block, piece in zip(float64_blocks(updates, rows), pieces, strict=True):
        along.addmv_(block.sub_(piece[0]), piece[1])
    return along


def _unit(vector: Tensor) -> Tensor:
    """The vector brought to length 1; zero stays zero."""
    length = vector.norm()
    return vector / torch.where(length > 0, length, 1.0)
