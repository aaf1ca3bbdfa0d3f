"""Attacks as client mods of Flower, to test a federation that is deployed."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict

from flt.clients.one_by_one import LocalUpdates
from flt.errors import InputError, check_count
from flt.federation import Attack, Memory
from flt.federation.memory import NOTHING, restored, saved
from flt.flower.clients import ConfiguredClients, crafted, round_of
from flt.flower.layout import Layout, Replies
from flt.flower.members import federation_of

KEPT = "flt-attack"
"""Name of the record in which a node keeps the memory of its attack."""

CallNext = Callable[[Message, Context], Message]
Mod = Callable[[Message, Context, CallNext], Message]


def attack_mod(
    attack: Attack | None = None,
    *,
    local: ConfiguredClients | None = None,
    num_clients: int | None = None,
    replies: Replies = "weights",
    fixed: tuple[str, ...] = (),
    seed: int | None = None,
) -> Mod:
    """A client mod that makes a node malicious: it changes what the node's own training sends.

    An attack that changes updates alone works with any client app. One that poisons local data or trains in its own
    way needs ``local``, the clients of a configuration: the mod then takes the place of their training on the nodes
    that are malicious by the configuration, in the rounds in which they attack, as in the simulator.

    Args:
        attack: The attack, such as ``callbacks.SignFlip()``; its ``fraction`` does not count, as every node with the
            mod attacks, in the rounds of its schedule. None is that of ``local``.
        local: The clients of a configuration.
        num_clients: Clients in a round, as far as the attacker knows; a factor that is null, such as that of
            `callbacks.ScalingAttack`, is made of it.
        replies: What the clients send, as for the strategy.
        fixed: Names of floating-point arrays that nobody trains.
        seed: Of the attack's random numbers; attackers that share it draw the same and act in concert. None is the
            node's id.

    Raises:
        InputError: If the attack has to know the updates of others, or agree with other malicious clients before they
            train; or if it needs ``local``.

    Example:
        >>> from callbacks import SignFlip
        >>> mod = attack_mod(SignFlip(scale=2.0))
    """
    if attack is None and local is not None:
        attack = local.attack
    if attack is None:
        return lambda message, context, call_next: call_next(message, context)
    if not attack.works_alone:
        raise InputError(
            f"attack={attack.label} has to know what other clients send, or to agree with other malicious ones before"
            " they train: a client mod sees its own node alone; such attacks are made in the simulator (flt fit)"
        )
    check_count("num_clients", num_clients)
    if local is not None:
        return _of_configuration(attack, local)
    needs = [word for word in ("poison", "train") if attack.overrides(word)]
    if needs:
        raise InputError(
            f"attack={attack.label} changes local {'data' if needs[0] == 'poison' else 'training'}, which a mod does"
            " not see: pass local=ConfiguredClients([...]), whose training it can replace"
        )
    if getattr(attack, "scale", 1.0) is None and num_clients is None:
        raise InputError(f"attack.scale=None of {attack.label} is made of the number of clients: pass num_clients=")
    return _of_any_client(attack, num_clients or 1, replies, fixed, seed)


def _of_configuration(attack: Attack, local: ConfiguredClients) -> Mod:
    def mod(message: Message, context: Context, call_next: CallNext) -> Message:
        if message.metadata.message_type != MessageType.TRAIN or not local.attacks(message, context):
            return call_next(message, context)
        reply, memory = local.attacked(message, context, attack, remembered(context))
        remember(context, memory)
        return reply

    return mod


def _of_any_client(attack: Attack, num_clients: int, replies: Replies, fixed: tuple[str, ...], seed: int | None) -> Mod:
    def mod(message: Message, context: Context, call_next: CallNext) -> Message:
        reply = call_next(message, context)
        number = round_of(message)
        if message.metadata.message_type != MessageType.TRAIN or reply.has_error() or not _is_due(attack, number):
            return reply
        arrays, own = (next(iter(each.content.array_records.values())) for each in (message, reply))
        layout = Layout.of(arrays, fixed, replies)
        update, statistics = (np.empty(size, np.float32) for size in (layout.num_params, layout.num_statistics))
        layout.read(own, update, statistics)
        federation = federation_of(
            num_clients,
            torch.ones(num_clients).long(),
            malicious=range(num_clients),
            seed=context.node_id if seed is None else seed,
            layout=layout.parameters,
        )
        trained = LocalUpdates(torch.from_numpy(update)[None], torch.zeros(1), torch.from_numpy(statistics)[None])
        sent, memory = crafted(
            attack,
            trained,
            number=number,
            client=0,
            parameters=layout.vector,
            federation=federation,
            memory=remembered(context),
        )
        remember(context, memory)
        changed = layout.reply(sent.updates[0], sent.statistics[0])
        return _with_arrays(reply, changed)

    return mod


def remembered(context: Context) -> Memory:
    """What an attack has kept on a node."""
    record = context.state.config_records.get(KEPT)
    if record is None:
        return NOTHING
    kept: Memory = restored(torch.load(io.BytesIO(record["memory"]), weights_only=True), "cpu")
    return kept


def remember(context: Context, memory: Memory) -> None:
    """Keeps an attack's memory in the node's state, which outlives the process of a message."""
    if memory:
        content = io.BytesIO()
        torch.save(saved(dict(memory)), content)
        context.state[KEPT] = ConfigRecord({"memory": content.getvalue()})


def _with_arrays(reply: Message, arrays: ArrayRecord) -> Message:
    """The reply with other arrays, under the same name; integers and fixed arrays stay as the client sent them."""
    (name,) = reply.content.array_records
    before = reply.content.array_records[name]
    moving = {key for key, value in arrays.items() if value.dtype.startswith("float")}
    merged: dict[str, Array] = {key: arrays[key] if key in moving else before[key] for key in before}
    content = {key: value for key, value in reply.content.items() if key != name}
    reply.content = RecordDict({name: ArrayRecord(merged), **content})
    return reply


def _is_due(attack: Attack, number: int) -> bool:
    """Whether the attack takes place in a round."""
    return attack.schedule.count(number, 1) > 0
