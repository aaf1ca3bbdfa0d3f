"""The command line's parser: as Lightning's, but a mistake is explained in one line."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]  # listed in its documentation
from lightning.pytorch.cli import LightningArgumentParser

from flt.data import FederatedDataModule, Partition
from flt.errors import InputError
from flt.hooks import Aggregation, Attack
from flt.models import Network

PLUGINS: dict[str, type] = {
    "data": FederatedDataModule,
    "aggregation": Aggregation,
    "attack": Attack,
    "model.network": Network,
    "partition": Partition,
}

# What jsonargparse says about the branches of a type that were not meant, and about its own internals.
NOISE = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value.*"
    r"|Expected a <class 'NoneType'>.*|Expected a path but .* either not accessible or invalid"
)
TYPES = re.compile(r"<class '(?:\w+\.)*(\w+)'>")


class FederatedArgumentParser(LightningArgumentParser):
    """Raises an `InputError` where its base prints the usage and exits."""

    def add_config(self, help: str) -> None:
        """Adds ``--config``, which reads settings from a file."""
        self.add_argument("-c", "--config", action=ActionConfigFile, help=help)

    def parse_path(self, cfg_path: Any, **kwargs: Any) -> Any:
        """Reads a configuration file; its name precedes what is wrong with it."""
        try:
            return super().parse_path(cfg_path, **kwargs)
        except InputError as error:
            raise InputError(f"{cfg_path}: {error}") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Reports a mistake on the command line or in a configuration file."""
        hint = f" (see {self.prog.replace(' [options]', '')} --help)"
        raise InputError(explain(message).removesuffix(hint) + hint) from ex


def explain(message: str) -> str:
    """One line that says what a message of jsonargparse says on many.

    Example:
        >>> explain('''Parser key "trainer.max_steps":
        ...   Expected a <class 'int'>. Got value: x''')
        'trainer.max_steps: expected int, got x'
    """
    for key, base in PLUGINS.items():
        # Anchored: "- trigger: Expected a dot ..." is about an argument of the class.
        unknown = re.search(
            rf'Parser key "{key}":.*^\s*- Expected a dot import path string: (\S+)', message, re.DOTALL | re.MULTILINE
        )
        if unknown:
            names = ", ".join(sorted(subclass.__name__ for subclass in _leaves(base)))
            return f"{key}={unknown[1]} is unknown: choose one of {names}, a file, or the import path of your own class"
    missing = re.search(r'Parser key "([^"]+)":\s+- Expected a path but (\S+\.(?:yaml|yml|json)) ', message)
    if missing:
        return f"{missing[1]}={missing[2]}: there is no such file"
    lines = [NOISE.sub("", line.strip().removeprefix("- ")) for line in message.splitlines()]
    text = " ".join(dict.fromkeys(line for line in lines if line))
    text = re.sub(r"typing\.Literal\[([^\]]+)\]", r"one of \1", text)
    text = TYPES.sub(r"\1", re.sub(r'Parser key "([^"]+)":', r"\1:", text))
    text = re.sub(r"Expected (?:an? )?(.+?)\. Got value: ", r"expected \1, got ", text)
    given = re.search(r"Given value: (?!NestedArg|Namespace)(.+)$", message)
    if given and "expected" not in text:  # no branch of a union took it
        text = re.sub(r" ?Expected an? ", " or ", text).replace(": or ", ": expected ", 1) + f", got {given[1]}"
    return text


def input_error(error: BaseException | None) -> InputError | None:
    """The `InputError` that ``error`` is or was caused by, if there is one."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error


def _leaves(base: type[Any]) -> Iterator[type[Any]]:
    for subclass in base.__subclasses__():
        if not inspect.isabstract(subclass):
            yield subclass
        yield from _leaves(subclass)
