"""What values that were read from a file must look like: described in one place, checked in one go."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

Kind = Callable[[Any, str], None]
"""Raises a `Mismatch` unless a value, at the named place, is what it should be."""


class Mismatch(ValueError):
    """A value that is not what it should be; the message names its place."""


def check(value: Any, kind: Kind, place: str = "") -> None:
    """Raises a `Mismatch` unless ``value`` is of a kind, whatever it is.

    Args:
        value: Anything that a file may hold, even a list that holds itself.
        kind: What it should be.
        place: What the value is called in the message.

    Example:
        >>> check({"rounds": 3}, fields({"rounds": count}))
        >>> check({"rounds": None}, fields({"rounds": count}))
        Traceback (most recent call last):
        ...
        flt.runs.schema.Mismatch: rounds is null, not a whole number from 0
    """
    try:
        kind(value, place)
    except RecursionError as error:
        raise Mismatch(f"{place or 'it'} is nested too deeply") from error


def leaf(description: str, holds: Callable[[Any], bool]) -> Kind:
    """The kind of values for which something ``holds``; the description completes 'VALUE is not ...'."""

    def kind(value: Any, place: str) -> None:
        if not holds(value):
            raise Mismatch(f"{place or 'it'} is {_shown(value)}, not {description}")

    return kind


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0 that fits into 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_finite(value: Any) -> bool:
    return is_number(value) and abs(value) <= 1e300 and math.isfinite(value)


anything: Kind = leaf("", lambda value: True)
text = leaf("text", lambda value: isinstance(value, str))
truth = leaf("true or false", lambda value: isinstance(value, bool))
count = leaf("a whole number from 0", is_count)
number = leaf("a number", is_number)
finite = leaf("a finite number", _is_finite)
mapping = leaf("a mapping", lambda value: isinstance(value, dict))


def optional(kind: Kind) -> Kind:
    """The kind of values that may also be null."""
    return lambda value, place: None if value is None else kind(value, place)


def all_of(*kinds: Kind) -> Kind:
    """The kind of values that are of several kinds at once."""

    def own(value: Any, place: str) -> None:
        for kind in kinds:
            kind(value, place)

    return own


def list_of(kind: Kind, *, length: int | None = None) -> Kind:
    """The kind of lists of ``kind``, of any length if that is None."""

    def own(value: Any, place: str) -> None:
        if not isinstance(value, list | tuple) or length not in (None, len(value)):
            raise Mismatch(f"{place or 'it'} is {_shown(value)}, not a list{'' if length is None else f' of {length}'}")
        for number, each in enumerate(value):
            kind(each, f"{place}[{number}]")

    return own


def mapping_of(kind: Kind) -> Kind:
    """The kind of mappings from text to ``kind``."""

    def own(value: Any, place: str) -> None:
        mapping(value, place)
        for name, each in value.items():
            text(name, f"a key of {place or 'it'}")
            kind(each, joined(place, name))

    return own


def fields(required: Mapping[str, Kind], further: Mapping[str, Kind] | None = None) -> Kind:
    """The kind of mappings with these entries; what else they hold does not matter.

    Args:
        required: Kinds of entries that must be there.
        further: Kinds of entries that may be missing.
    """

    def own(value: Any, place: str) -> None:
        mapping(value, place)
        for name, kind in required.items():
            if name not in value:
                raise Mismatch(f"{place or 'it'} has no {name}")
            kind(value[name], joined(place, name))
        for name, kind in (further or {}).items():
            if name in value:
                kind(value[name], joined(place, name))

    return own


def json_text(kind: Kind) -> Kind:
    """The kind of texts that hold a value of ``kind`` in JSON."""

    def own(value: Any, place: str) -> None:
        text(value, place)
        try:
            content = json.loads(value)
        except ValueError as error:
            raise Mismatch(f"{place or 'it'} is no JSON ({error})") from error
        kind(content, place)

    return own


def plain(value: Any, place: str) -> None:
    """The kind of settings: numbers, text, true, false and null, in lists and mappings."""
    if isinstance(value, dict):
        mapping_of(plain)(value, place)
    elif isinstance(value, list | tuple):
        list_of(plain)(value, place)
    elif value is not None:
        leaf("a plain value", lambda each: isinstance(each, str | int | float))(value, place)


def joined(place: str, name: Any) -> str:
    """The name of an entry of what is at a place."""
    return f"{place}.{name}" if place else str(name)


def _shown(value: Any) -> str:
    """A value in a few words."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if hasattr(value, "layout"):  # a tensor
        layout = "meta" if value.is_meta else str(value.layout).removeprefix("torch.")
        return f"a {layout} tensor of {list(value.shape)}"
    if is_number(value):
        return f"{value:.6g}" if isinstance(value, float) else "a huge number" if abs(value) >= 2**63 else str(value)
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return f"a list of {len(value)}" if isinstance(value, list | tuple) else f"a {type(value).__name__}"
