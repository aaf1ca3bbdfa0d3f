"""One line for what jsonargparse says on many, with a remedy where it knows none."""

import inspect
import pydoc
import re
import sys
from abc import ABC
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from flt.errors import chain, one_line, own_frame

PLUGINS = {
    "data": "flt.data.FederatedDataModule",
    "aggregation": "flt.federation.Aggregation",
    "attack": "flt.federation.Attack",
    "model.network": "torch.nn.Module",
    "partition": "flt.data.Partition",
    "trigger": "flt.data.Trigger",
    "rule": "flt.federation.Aggregation",
    "attacks": "flt.federation.Attack",
    "trainer.logger": "lightning.pytorch.loggers.Logger",
    "trainer.callbacks": "lightning.pytorch.callbacks.Callback",
}
"""Settings that name a class, and the base of what they take; by import path, as most commands need none of them.

Those of a class, such as the trigger of an attack, go by their last name.
"""

OWN = ("flt.", "callbacks.", "lightning.")
"""Packages whose classes go by their last name."""

STEP = re.compile(r"""Parser key "([^"]+)":|^--(\S+)\.help:|Problem with given class_path '([^']+)':""")
"""Matches a step of a message from a setting to its class, and from a class to its setting."""

GOES_ON = re.compile(r" ?|(?!.*Given value).*Errors?: .*")
"""Matches what lies between two steps; behind anything else stands another reading of the same setting."""

NOISE = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: .*?(?= Errors:)|Errors:"
    r"|the settings cannot be read: \w+:|Type typing\.Callable\[.*\] expects a function or a callable class:"
    r"|\. Got value: (Namespace|NestedArg)\(.*"
)
LONG_WORD = re.compile(r"(\S{40})\S{260,}")
DASHES = "-\u2013\u2014"  # those that text processors make of two hyphens, too


def explain(message: str, error: Exception | None, program: str, options: Sequence[str]) -> str:
    """What a message of jsonargparse, and the exception that it comes from, say; with what would do instead.

    Example:
        >>> explain("unrecognized arguments: --agregation Krum", None, "flt fit", ["--aggregation", "--attack"])
        'unrecognized arguments: --agregation Krum: did you mean --aggregation?'
    """
    places, rest = _innermost(message)
    key = places[-1][0] if places else ""
    own = next((each for each in chain(error) if own_frame(each) or isinstance(each, SyntaxError)), None)
    if own is not None:
        return f"{places[0][0] if places else ''}: {one_line(own)}"
    plugin = key if key in PLUGINS else key.rpartition(".")[2]
    mistaken = _explain_class(key, plugin, message) if plugin in PLUGINS else None
    if mistaken:
        return mistaken
    name = rest.partition("Expected a dot import path string: ")[2]
    if name and plugin not in PLUGINS:
        return f"{key}={name.split()[0]} is unknown: give a file, or the import path of a class"
    if name:
        names, given = choices_of(plugin), name.split()[0]
        close = [f"did you mean {each}? Or " for each in get_close_matches(given, names, 1)]
        others = f"{''.join(close)}choose one of {', '.join(names)}, a file, or the import path of your own class"
        return f"{key}={given} is unknown: {others}"
    missing = re.search(r"- Expected a path but (\S+\.(?:yaml|yml|json)) ", message)
    if missing:
        return f"{key}={missing[1]}: there is no such file"
    if places:
        return LONG_WORD.sub(r"\1...", _explain_setting(places, rest, program))
    text = NOISE.sub("", LONG_WORD.sub(r"\1...", message))
    return " ".join(text.split()) + _advice(message, program, options)


def without_internals(text: str) -> str:
    """A text with what jsonargparse says in it of a value, where that is all of it, without its types and its value.

    Example:
        >>> without_internals("Does not validate against any of the Union subtypes Errors: - it is 3")
        'it is 3'
    """
    is_of_types = "Does not validate against any of the Union subtypes" in text
    return _readings(text[text.index("Does not") :])[0] if is_of_types else text


def _innermost(message: str) -> tuple[list[tuple[str, str]], str]:
    """The settings that a message goes through, each with its class, or nothing; and what it says of the innermost."""
    text, end = " ".join(message.split()), 0
    places = list[tuple[str, str]]()
    for step in STEP.finditer(text):
        if places and not GOES_ON.fullmatch(text[end : step.start()]):
            break
        key, kind = step[1] or step[2], step[3]
        if key:
            places.append((f"{places[-1][0]}.{key}" if places else key, ""))
        elif places:
            places[-1] = (places[-1][0], kind)
        end = step.end()
    return places, text[end:]


def _explain_class(key: str, plugin: str, message: str) -> str | None:
    """What is wrong with the import path of a class; None where it is something else."""
    path = re.search(r"Given value: (?:\w+\(class_path=')?([\w./]+)", message)
    given = path[1] if path else ""
    module, _, name = given.rpartition(".")
    if name == "py":
        return f"{key}={given} is code: name the class in it, as {module.replace('/', '.')}.CLASS"
    is_abstract = "but is abstract" in message
    if is_abstract and not module:
        return f"{key}={given} is what others are built on: choose one of {', '.join(choices_of(plugin))}"
    if module in sys.modules and f"module '{module}' has no attribute '{name}'" in message:
        kinds = inspect.getmembers(sys.modules[module], inspect.isclass)
        own = [each for each, kind in kinds if kind.__module__ == module]
        close = [f"did you mean {module}.{each}?" for each in get_close_matches(name, own, 1)]
        return f"{key}={given}: {module} has no {name}: {''.join(close) or 'it has ' + (', '.join(own) or 'none')}"
    kind: Any = pydoc.locate(given) if is_abstract else None
    if inspect.isabstract(kind):
        missing = " and ".join(sorted(kind.__abstractmethods__))
        return f"{key}={given} is abstract: define {missing} in it"
    return None


def _explain_setting(places: list[tuple[str, str]], rest: str, program: str) -> str:
    """What is wrong with the innermost of some settings, and what describes it."""
    key, kind = places[-1]
    made = re.search(r"typing\.Callable.*?Namespace\(class_path='([^']+)'", rest)
    if made and not kind:  # of an optimizer or a schedule, which is a class with all arguments but one
        kind = made[1]
        places = [*places[:-1], (key, kind)]
    said, value = _readings(rest)
    needed = re.search(r"the following arguments are required: (\w+(?:, \w+)*)", said)
    if needed:
        settings = ", ".join(f"{key}.{each}" for each in needed[1].split(", "))
        return f"{settings} is missing: {_help(places, program)} says what to give"
    unknown = re.match(r"unrecognized arguments: --([^\s=]+)", said)
    if unknown:
        return f"{key}.{unknown[1]}: the class of {key} has no such setting; name one that has before it: --{key} CLASS"
    if "is abstract" in said and "NestedArg" in rest:
        return f"{key}: no class is named whose settings these are: give --{key} CLASS before them"
    given = f". Got value: {value}" if value not in ("", kind) and "Got value" not in said else ""
    told = f"{key}{f'={_short(kind)}' if kind else ''}: {said}{given}"
    return f"{told}: {_help(places, program)} says what to give" if any(kind for _, kind in places) else told


def _readings(rest: str) -> tuple[str, str]:
    """What a message says of a setting, without what only its author understands; and the setting's value, if told."""
    head, _, tail = rest.partition(" Given value type: ")
    text = " ".join(NOISE.sub(" ", head).split())
    text = re.sub(r"Expected an? <class '(?:\w+\.)*(\w+)'>", r"expected \1", text)
    text = re.sub(r"Expected a typing\.Literal\[(.*?)\]", r"expected one of \1", text)
    readings = re.split(r"(?:^| )-(?: |$)" if text.startswith("- ") else r" - (?=expected |Problem with )", text)
    readings = [each for each in readings if each] if text.startswith("- ") else readings[:1]
    types = [each.removeprefix("expected ").replace("NoneType", "null") for each in readings]
    said = [each for each in readings if not re.fullmatch(r"expected \w+", each)]
    value = re.match(r"<class '[^']*'> Given value: ((?!Namespace\(|NestedArg\(|{).*?)(?: - Expected |$)", tail)
    return "; ".join(said) or f"expected {' or '.join(types)}", value[1] if value else ""


def _help(places: list[tuple[str, str]], program: str) -> str:
    """The command that describes the innermost class of some settings."""
    last = max(number for number, (_, kind) in enumerate(places) if kind or not number)
    outer = [f"--{key} {_short(kind)} " for key, kind in places[:last]]
    return f"{program} {''.join(outer)}--{places[last][0]}.help {_short(places[last][1])}"


def _short(kind: str) -> str:
    """By what a class can be named on the command line; CLASS for one that is not known."""
    return kind.rpartition(".")[2] if kind.startswith(OWN) else kind or "CLASS"


def _advice(message: str, program: str, options: Sequence[str]) -> str:
    """What to do about missing and unknown arguments; nothing for any other message."""
    if re.search(r"are required: (model\.network|data)\b", message):
        return f": give them, or a file that does, as {program} --config configs/har_fltrust.yaml"
    unknown = re.match(r"unrecognized arguments: ([^\s=]+)|Option '([^'.]+)", message)  # on the line, or in a file
    word = unknown[1] or unknown[2] if unknown else ""
    if word.endswith((".yaml", ".yml")):
        return f": pass a configuration file as --config {word}"
    close = get_close_matches(f"--{word.lstrip(DASHES)}", options, 1, 0.65)
    return f": did you mean {close[0]}?" if word and close else ""


def choices_of(key: str) -> list[str]:
    """The names of the classes of this program and of Lightning that one of `PLUGINS` takes."""
    packages = "flt.models." if key == "model.network" else ("flt.", "callbacks.", "lightning.")
    kinds: list[Any] = [pydoc.locate(PLUGINS[key])]
    for kind in kinds:
        kinds += kind.__subclasses__()
    kinds = [kind for kind in kinds[1:] if kind.__module__.startswith(packages) and not inspect.isabstract(kind)]
    if PLUGINS[key].startswith("flt.data."):  # where triggers lie that nobody names
        kinds = [kind for kind in kinds if pydoc.locate(f"flt.data.{kind.__name__}") is kind]
    # A class that names ABC is a base of others, also where it leaves no method open.
    return sorted({kind.__name__ for kind in kinds if not kind.__name__.startswith("_") and ABC not in kind.__bases__})
