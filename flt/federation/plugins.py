"""The callbacks of a run: finding them, and the order in which a round calls them."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any

from lightning.pytorch import Callback, Trainer

from flt.data.triggers import Trigger
from flt.errors import InputError
from flt.federation.aggregation import Aggregation
from flt.federation.around import RuleAround
from flt.federation.attack import Attack
from flt.federation.returned import described
from flt.federation.round import Federation

PLAIN = (bool, int, float, str, type(None))


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The trainer's own list of callbacks."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def nested_in(callback: Callback) -> list[Callback]:
    """The rules inside a rule around a rule, from the outermost, and the attacks that one is made of; else none."""
    inner: list[Callback] = []
    if isinstance(callback, RuleAround) and callback.rule is not None:
        inner = [callback.rule]
    elif isinstance(callback, Attack):
        inner = [member for member in callback.members if member is not callback]
    return [each for one in inner for each in (one, *nested_in(one))]


def outermost(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks without the rules and attacks that are inside others."""
    callbacks = list(callbacks)
    inner = {id(each) for callback in callbacks for each in nested_in(callback)}
    return [callback for callback in callbacks if id(callback) not in inner]


def take_in_nested(trainer: Trainer) -> None:
    """Makes callbacks of the trainer of the rules and attacks inside others, so that Lightning calls their hooks."""
    callbacks = outermost(callbacks_of(trainer))
    trainer.callbacks[:] = [each for outer in callbacks for each in (outer, *nested_in(outer))]  # type: ignore[attr-defined]


def in_order(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks as a round calls them: as listed, then the attack, then the rule, which calls those inside it.

    What clients do to their updates comes before what an attacker makes of them, wherever the attack is listed.
    """
    return sorted(outermost(callbacks), key=lambda each: isinstance(each, Attack) + 2 * isinstance(each, Aggregation))


def only(trainer: Trainer, kind: type[Any]) -> Any:
    """The trainer's one callback of a kind, None if there is none.

    Raises:
        InputError: If there are several.
    """
    return only_of(callbacks_of(trainer), kind)


def only_of(callbacks: Iterable[Callback], kind: type[Any]) -> Any:
    """The one of a kind among some callbacks, as `only` finds it."""
    found = [callback for callback in outermost(callbacks) if isinstance(callback, kind)]
    if len(found) > 1:
        names = ", ".join(type(callback).__name__ for callback in found)
        raise InputError(f"trainer.callbacks holds several of kind {kind.__name__} ({names}): keep one")
    return found[0] if found else None


def settings_in(part: object, name: str) -> dict[str, Any]:
    """Settings of a rule or an attack, and of what is inside it, by dotted names: its public plain attributes.

    Of a mapping, such as an optimizer's group of parameters, it is the plain values.

    Example:
        >>> from callbacks import Bucketing, Median
        >>> settings_in(Bucketing(rule=Median(), size=3), "aggregation")["aggregation.size"]
        3
    """
    found: dict[str, Any] = {}
    for key, value in (part if isinstance(part, Mapping) else getattr(part, "__dict__", {})).items():
        values = value if isinstance(value, list | tuple) else [value]
        if key.startswith("_"):
            continue
        if all(isinstance(each, PLAIN) for each in values):
            found[f"{name}.{key}"] = list(value) if values is value else value
        elif all(isinstance(each, Aggregation | Attack | Trigger) or is_dataclass(each) for each in values):
            for number, each in enumerate(values):
                found |= settings_in(each, f"{name}.{key}" + (f".{number}" if values is value else ""))
    return found


def through_hooks(callbacks: Iterable[Callback], federation: Federation) -> Federation:
    """Passes a federation through the hook ``on_federation`` of every callback that has it.

    Raises:
        InputError: If one returns something else.
    """
    for callback in callbacks:
        hook = getattr(callback, "on_federation", None)
        changed = None if hook is None else hook(federation)
        if changed is not None and not isinstance(changed, Federation):
            raise InputError(
                f"{type(callback).__name__}.on_federation returned {described(changed)}: return"
                " federation.replace(clients=...), or None"
            )
        federation = federation if changed is None else changed
    return federation
