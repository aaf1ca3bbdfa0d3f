"""The command line's parser: as Lightning's, but a mistake is explained in one line."""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile, get_loader, set_loader  # type: ignore[attr-defined]  # in its documentation
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser
from lightning.pytorch.loggers import Logger
from torch import nn

from flt.data import FederatedDataModule, Partition
from flt.errors import InputError, one_line
from flt.federation import Aggregation, Attack
from flt.server.checks import precision_problem

PLUGINS: dict[str, type] = {
    "data": FederatedDataModule,
    "aggregation": Aggregation,
    "attack": Attack,
    "model.network": nn.Module,
    "partition": Partition,
    "trainer.logger": Logger,
    "trainer.callbacks": Callback,
}
MOST_NAMES = 12  # that are worth listing
PACKAGES = ("flt.", "callbacks.", "lightning.")  # whose classes are listed
NETWORKS = ("flt.models.",)

COMMAND = r"(fit|validate|test|predict|data)\."

# What jsonargparse says about the branches of a type that were not meant, and about its own internals.
NOISE = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Given value.*"
    r"|Expected a <class 'NoneType'>.*|Expected a path but .* either not accessible or invalid"
    r"| *\(see [\w ]+ --help\)"  # the hints of the parsers within
)
BARE = re.compile(r"Expected an? (?!dot )[\w.<>' ]+$")  # another branch of the type, which nobody had in mind
TYPES = re.compile(r"<class '(?:\w+\.)*(\w+)'>")


_load_yaml = get_loader("yaml")


def load_yaml(text: str) -> Any:
    """What jsonargparse makes of YAML, of which a key that stands twice would quietly lose its first value.

    Raises:
        YAMLError: If the text is no YAML, or a key stands twice in one mapping.
    """
    if "\n" in text or "{" in text:  # anything else is a single value
        _check_keys(yaml.compose(text, Loader=yaml.SafeLoader))
    return _load_yaml(text)


def _check_keys(node: yaml.Node | None) -> None:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _check_keys(each)
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if isinstance(key.value, str) and key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} stands here a second time", problem_mark=key.start_mark
                )
            seen.add(key.value if isinstance(key.value, str) else None)
            _check_keys(value)


set_loader("yaml", load_yaml, (yaml.YAMLError,))


class FederatedArgumentParser(LightningArgumentParser):
    """Raises an `InputError` where its base prints the usage and exits; takes no abbreviated options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def add_config(self, help: str) -> None:
        """Adds ``--config``, which reads settings from a file."""
        self.add_argument("-c", "--config", action=ActionConfigFile, help=help)

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """As its base; a user's own module that cannot be imported is a mistake of the user's."""
        try:
            return super().parse_args(*args, **kwargs)
        except InputError:
            raise
        except Exception as error:
            if not _came_up_in_an_import(error):
                raise
            raise InputError(f"a class cannot be imported: {one_line(error)}") from error

    def parse_path(self, cfg_path: Any, **kwargs: Any) -> Any:
        """Reads a configuration file; its name precedes what is wrong with it."""
        try:
            return super().parse_path(cfg_path, **kwargs)
        except InputError as error:
            raise InputError(f"{cfg_path}: {error}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{cfg_path} is no text in UTF-8 ({error.reason}): give a YAML file") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Reports a mistake on the command line or in a configuration file."""
        program = self.prog.replace(" [options]", "")
        command = re.search(rf"are required: {COMMAND}", message)
        hint = f" (see {program}{' ' + command[1] if command else ''} --help)"
        explained = explain(message).removesuffix(hint) + advice(message, self._option_string_actions)
        raise InputError(explained + hint) from ex


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
            return f"{key}={unknown[1]} is unknown: {_choices(unknown[1], base)}"
    missing = re.search(r'Parser key "([^"]+)":\s+- Expected a path but (\S+\.(?:yaml|yml|json)) ', message)
    if missing:
        return f"{missing[1]}={missing[2]}: there is no such file"
    given = re.search(r"(?:Given|Got) value: (?!NestedArg|Namespace)(.+)$", message)
    if given and message.startswith('Parser key "trainer.precision"'):
        return precision_problem(given[1])
    path = re.match(r'Parser key "([^"]+)"', message)
    if given and path and (problem := _problem_of_import(given[1])):
        return f"{path[1]}={given[1]} cannot be imported: {problem}"
    lines = [NOISE.sub("", line.strip().removeprefix("- ")) for line in message.splitlines()]
    lines = _without_other_branches([line for line in dict.fromkeys(lines) if line])
    return _reworded(" ".join(lines), given and given[1])


def _reworded(text: str, given: str | None) -> str:
    text = re.sub(r"typing\.Literal\[([^\]]+)\]", r"one of \1", text)
    text = TYPES.sub(r"\1", re.sub(r'Parser key "([^"]+)":', r"\1:", text))
    text = re.sub(r"Expected (?:an? )?(.+?)\. Got value:(?: |$)", r"expected \1, got ", text)
    text = re.sub(r"Unexpected config:(?: (?=.))?", "expected settings, such as {model: {client_lr: 0.1}}, got ", text)
    text = re.sub(r", got $", ", got nothing", text)
    text = re.sub(r"expected list, got ([^\s,\[]+)$", r"expected list, such as [\1], got \1", text)
    text = re.sub(rf"(?<=required: ){COMMAND}(.*)", lambda found: re.sub(COMMAND, "", found[0]), text)
    unloaded = re.search(r"^(\S+): Unable to load config ['\"](.*?)['\"]", text)
    if unloaded:
        return f"{unloaded[1]}: expected settings, got {unloaded[2]}: a colon is followed by a space"
    early = re.search(r"Option '(\S+)' is not accepted before subcommand '(\w+)'", text)
    if early:
        return f"{early[1]} stands before the subcommand: begin with flt {early[2]}"
    if given and "expected" not in text:  # no branch of a union took it
        text = re.sub(r" ?Expected an? ", " or ", text).replace(": or ", ": expected ", 1) + f", got {given}"
    return text


def advice(message: str, options: Iterable[str]) -> str:
    """What to do about arguments that are none; nothing for any other ``message``.

    Args:
        message: What jsonargparse says.
        options: The options that there are.

    Example:
        >>> advice("unrecognized arguments: --agregation Krum", ["--aggregation", "--attack"])
        ': did you mean --aggregation?'
    """
    missing = re.search(rf"are required: {COMMAND}", message)
    if missing:
        return f": give them, or a file that does, as flt {missing[1]} --config configs/har_fltrust.yaml"
    unknown = re.match(r"unrecognized arguments: ([^\s=]+)", message)
    if not unknown:
        return ""
    word = re.sub("^[\u2013\u2014]", "--", unknown[1])  # the dashes that text processors make of two hyphens
    if word.endswith((".yaml", ".yml")):
        return f": pass a configuration file as --config {word}"
    close = get_close_matches(word if word.startswith("-") else f"--{word}", list(options), 1, 0.65)
    return f": did you mean {close[0]}?" if close else ""


def _choices(name: str, base: type[Any]) -> str:
    """What could stand in place of an unknown class's ``name``."""
    names = sorted(
        {
            own.__name__
            for own in _leaves(base)
            if own.__module__.startswith(NETWORKS if base is nn.Module else PACKAGES)
        }
    )
    others = "a file, or the import path of your own class"
    if len(names) <= MOST_NAMES:
        return f"choose one of {', '.join(names)}, {others}"
    close = get_close_matches(name, names, 1)
    return f"{f'did you mean {close[0]}? Or ' if close else ''}give {others}"


def _without_other_branches(lines: list[str]) -> list[str]:
    """The lines without those of a union's branches that were not meant, if one says more."""
    told = [line for line in lines if not BARE.match(line)]
    return told if any(not line.startswith(("Parser key", "Expected")) for line in told) else lines


def _problem_of_import(path: str) -> str | None:
    """Why the module of an import path cannot be imported; None if it can, or if it is no such path."""
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", path):
        return None
    try:
        importlib.import_module(path.rpartition(".")[0])
    except Exception as error:  # a user's own module may raise anything
        return one_line(error)
    return None


def _came_up_in_an_import(error: Exception) -> bool:
    if isinstance(error, SyntaxError):
        return True
    last = error.__traceback__
    while last is not None:
        if last.tb_frame.f_code.co_name == "<module>":  # a module's own code runs when it is imported, and only then
            return True
        last = last.tb_next
    return False


def _leaves(base: type[Any]) -> Iterator[type[Any]]:
    for subclass in base.__subclasses__():
        if not inspect.isabstract(subclass) and not subclass.__name__.startswith("_"):
            yield subclass
        yield from _leaves(subclass)
