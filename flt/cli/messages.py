"""One line for what jsonargparse says on many, with a remedy where it knows none."""

import inspect
import pydoc
import re
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
    "trainer.logger": "lightning.pytorch.loggers.Logger",
    "trainer.callbacks": "lightning.pytorch.callbacks.Callback",
}
"""Settings that name a class, and the base of what they take; by import path, as most commands need none of them."""

NOISE = re.compile(r"Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value type: .*")
LONG_WORD = re.compile(r"(\S{40})\S{260,}")
DASHES = "-\u2013\u2014"  # those that text processors make of two hyphens, too


def explain(message: str, error: Exception | None, program: str, options: Sequence[str]) -> str:
    """What a message of jsonargparse, and the exception that it comes from, say; with what would do instead.

    Example:
        >>> explain("unrecognized arguments: --agregation Krum", None, "flt fit", ["--aggregation", "--attack"])
        'unrecognized arguments: --agregation Krum: did you mean --aggregation?'
    """
    before, _, name = message.partition("Expected a dot import path string: ")
    keys = ["".join(each) for each in re.findall(r'Parser key "([^"]+)"|^--(\S+)\.help:', before)]
    own = next((each for each in chain(error) if own_frame(each) or isinstance(each, SyntaxError)), None)
    if own is not None:
        return f"{''.join(keys[:1])}: {one_line(own)}"
    if name and keys and keys[-1] in PLUGINS:
        names, given = choices_of(keys[-1]), name.split()[0]
        close = [f"did you mean {each}? Or " for each in get_close_matches(given, names, 1)]
        others = f"{''.join(close)}choose one of {', '.join(names)}, a file, or the import path of your own class"
        return f"{keys[-1]}={given} is unknown: {others}"
    missing = re.search(r'"(\S+)":\s+- Expected a path but (\S+\.(?:yaml|yml|json)) ', message)
    if missing:
        return f"{missing[1]}={missing[2]}: there is no such file"
    needed = re.search(r"'(?:\w+\.)*(\w+)':\s+the following arguments are required: (\w+(?:, \w+)*)", message)
    if needed and keys:
        settings = ", ".join(f"{keys[0]}.{each}" for each in needed[2].split(", "))
        return f"{settings} is missing: {program} --{keys[0]}.help {needed[1]} says what to give"
    text = NOISE.sub("", LONG_WORD.sub(r"\1...", re.sub(r'Parser key "([^"]+)":', r"\1:", message)))
    return " ".join(text.split()) + _advice(message, program, options)


def _advice(message: str, program: str, options: Sequence[str]) -> str:
    """What to do about missing and unknown arguments; nothing for any other message."""
    if re.search(r"are required: (model\.network|data)\b", message):
        return f": give them, or a file that does, as {program} --config configs/har_fltrust.yaml"
    unknown = re.match(r"unrecognized arguments: ([^\s=]+)", message)
    word = unknown[1] if unknown else ""
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
    # A class that names ABC is a base of others, also where it leaves no method open.
    return sorted({kind.__name__ for kind in kinds if not kind.__name__.startswith("_") and ABC not in kind.__bases__})
