"""What of a configuration cannot be had in Flower."""

from __future__ import annotations

from collections.abc import Sequence

from lightning.pytorch import Callback

from flt.cli.training import Run
from flt.errors import InputError
from flt.federation import Aggregation, Attack, FederatedCallback
from flt.federation.hooks import has_own
from flt.federation.plugins import callbacks_of, only


def check(run: Run, others: Sequence[str] = ()) -> None:
    """Raises an `InputError` where something of a configuration, or another thing, cannot be had in Flower."""
    obstacles = [*_obstacles_of(run), *others]
    if obstacles:
        raise InputError(f"this configuration cannot be had in Flower: {'; '.join(obstacles)}")


def is_attacked(run: Run) -> bool:
    """Whether there is an attack that some client makes."""
    attack = only(run.trainer, Attack)
    return attack is not None and attack.active and attack.fraction > 0


def _obstacles_of(run: Run) -> list[str]:
    """What of a configuration cannot be had in Flower, in words."""
    model, trainer, data = run.model, run.trainer, run.data
    attack, settings = only(trainer, Attack), model.local_settings
    found = {
        "model.server_optimizer: the strategy takes plain steps of server_lr": model.server_optimizer is not None,
        "model.client_momentum: a node's process ends with its message and keeps nothing": settings.momentum > 0,
        "model.client_optimizer_state=kept: likewise": settings.optimizer_state == "kept",
        "data.num_added_clients: they are there in rounds of the attack alone": data.num_added_clients > 0,
        "trainer.devices and num_nodes: a node is one process": trainer.world_size > 1,
        f"attack={attack and attack.label}: malicious clients would have to know what others send, or to agree before"
        " they train": attack is not None and is_attacked(run) and not attack.works_alone,
    }
    found |= {
        f"trainer.callbacks {type(each).__name__}: it changes what clients send, which only they can": True
        for each in callbacks_of(trainer)
        if not isinstance(each, Aggregation | Attack) and has_own(each, "on_client_updates")
    }
    found |= {
        f"{type(each).__name__}.setup: nobody calls it here, take what it needs in on_federation": True
        for each in callbacks_of(trainer)
        if (isinstance(each, Aggregation | Attack) or is_server_hook(each)) and has_own(each, "setup")
    }
    return [what for what, is_so in found.items() if is_so]


def is_server_hook(callback: Callback) -> bool:
    """Whether a callback is one that the server calls before the rule."""
    is_rule = isinstance(callback, Aggregation | Attack)
    return isinstance(callback, FederatedCallback) and not is_rule and has_own(callback, "on_updates_received")
