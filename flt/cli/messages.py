"""One line for what jsonargparse says on many, with a remedy where it knows none."""

import importlib
import inspect
import pydoc
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from flt.errors import one_line

PLUGINS = {
    "data": "flt.data.FederatedDataModule",
    "aggregation": "flt.federation.Aggregation",
    "attack": "flt.federation.Attack",
    "model.network": "torch.nn.Module",
    "partition": "flt.data.Partition",
    "trainer.logger": "lightning.pytorch.loggers.Logger",
    "trainer.callbacks": "lightning.pytorch.callbacks.Callback",
}
"""Settings that name a class, and the base of what they take; by import path, as most commands need none of them."""

SHORTER = re.compile(r"Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value type: .*")
LONGEST_WORD = 300  # that is shown in full
MOST_NAMES = 12  # that are worth listing
PACKAGES = ("flt.", "callbacks.", "lightning.")  # whose classes are listed


def explain(message: str, program: str, options: Iterable[str]) -> str:
    """What a message of jsonargparse says, in one line.

    Args:
        message: The message.
        program: The command, such as ``flt fit``.
        options: The options that there are.

    Example:
        >>> explain("unrecognized arguments: --agregation Krum", "flt fit", ["--aggregation", "--attack"])
        'unrecognized arguments: --agregation Krum: did you mean --aggregation?'
    """
    message = re.sub(rf"\S{{{LONGEST_WORD},}}", lambda found: f"{found[0][:40]}...", message)
    return (
        _unknown_class(message)
        or _missing_file(message)
        or _missing_setting(message, program)
        or _broken_import(message)
        or " ".join(SHORTER.sub("", re.sub(r'Parser key "([^"]+)":', r"\1:", message)).split())
        + _advice(message, program, options)
    )


def _unknown_class(message: str) -> str | None:
    unknown = re.search(r"Expected a dot import path string: (\S+)", message)
    before = re.findall(r'Parser key "([^"]+)"|^--(\S+)\.help:', message[: unknown.start()]) if unknown else []
    key = "".join(before[-1]) if before else ""  # the innermost, as a class may be an argument of another
    return f"{key}={unknown[1]} is unknown: {_choices(unknown[1], key)}" if unknown and key in PLUGINS else None


def _missing_file(message: str) -> str | None:
    missing = re.search(r'Parser key "([^"]+)":\s+- Expected a path but (\S+\.(?:yaml|yml|json)) ', message)
    return f"{missing[1]}={missing[2]}: there is no such file" if missing else None


def _missing_setting(message: str, program: str) -> str | None:
    """Which setting a class has no default for."""
    found = re.search(
        r"""Parser key "([^"]+)":.*Problem with given class_path '([\w.]+)':\s+"""
        r"the following arguments are required: (\w+(?:, \w+)*)",
        message,
        re.DOTALL,
    )
    if found is None:
        return None
    key, name = found[1], found[2].rpartition(".")[2]
    missing = ", ".join(f"{key}.{setting.strip()}" for setting in found[3].split(","))
    return f"{missing} is missing: {name} has no default for it; {program} --{key}.help {name} says what to give"


def _broken_import(message: str) -> str | None:
    """Why the module of a class cannot be imported."""
    given = re.search(r'^Parser key "([^"]+)".*(?:Given|Got) value: ((?:[^\W\d]\w*\.)+[^\W\d]\w*)$', message, re.DOTALL)
    if given is None:
        return None
    try:
        importlib.import_module(given[2].rpartition(".")[0])
    except Exception as error:  # a user's own module may raise anything
        return f"{given[1]}={given[2]} cannot be imported: {one_line(error)}"
    return None


def _advice(message: str, program: str, options: Iterable[str]) -> str:
    """What to do about missing and unknown arguments; nothing for any other message."""
    if re.search(r"are required: (model\.network|data)\b", message):
        return f": give them, or a file that does, as {program} --config configs/har_fltrust.yaml"
    unknown = re.match(r"unrecognized arguments: ([^\s=]+)", message)
    if not unknown:
        return ""
    word = re.sub("^[\u2013\u2014]", "--", unknown[1])  # the dashes that text processors make of two hyphens
    if word.endswith((".yaml", ".yml")):
        return f": pass a configuration file as --config {word}"
    close = get_close_matches(word if word.startswith("-") else f"--{word}", list(options), 1, 0.65)
    return f": did you mean {close[0]}?" if close else ""


def _choices(name: str, key: str) -> str:
    """What could stand in place of an unknown class's ``name``."""
    names = choices_of(key)
    others = "a file, or the import path of your own class"
    if len(names) <= MOST_NAMES:
        return f"choose one of {', '.join(names)}, {others}"
    close = get_close_matches(name, names, 1)
    return f"{f'did you mean {close[0]}? Or ' if close else ''}give {others}"


def choices_of(key: str) -> list[str]:
    """The names of the classes of this program and of Lightning that one of `PLUGINS` takes."""

    def leaves(kind: type[Any]) -> Iterator[type[Any]]:
        for subclass in kind.__subclasses__():
            if not inspect.isabstract(subclass) and not subclass.__name__.startswith("_"):
                yield subclass
            yield from leaves(subclass)

    packages = ("flt.models.",) if key == "model.network" else PACKAGES
    base: Any = pydoc.locate(PLUGINS[key])
    return sorted({own.__name__ for own in leaves(base) if own.__module__.startswith(packages)})


def came_up_in_an_import(error: Exception) -> bool:
    """Whether an exception is from a module's own code, which runs when it is imported, and only then."""
    if isinstance(error, SyntaxError):
        return True
    last = error.__traceback__
    while last is not None:
        if last.tb_frame.f_code.co_name == "<module>":
            return True
        last = last.tb_next
    return False
