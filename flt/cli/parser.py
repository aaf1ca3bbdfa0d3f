"""The parsers of commands: jsonargparse's, but a mistake is explained in one line."""

import argparse
import inspect
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, Namespace  # type: ignore[attr-defined]  # in its documentation

from flt.cli.configs import check_file, check_named, meant, with_own_configs, words_of
from flt.cli.messages import explain
from flt.errors import InputError, PluginError, one_line


class PlainParser(argparse.ArgumentParser):
    """A parser of options alone, whose mistakes are told in one line as all others."""

    def error(self, message: str) -> NoReturn:
        """Raises an `InputError` that names the help."""
        raise InputError(f"{message} (see {self.prog} --help)")


class FederatedArgumentParser(ArgumentParser):
    """Raises an `InputError` where its base prints the usage and exits; takes no abbreviated options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def add_config(self, help: str) -> None:
        """Adds ``--config``, which reads settings from a file."""
        self.add_argument("-c", "--config", metavar="FILE", action=ActionConfigFile, help=help)

    def parse_args(self, args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # never those of the process
        """Parses arguments, once files and values are seen to be fit for it."""
        try:
            return super().parse_args(_checked(args), **kwargs)
        except InputError:
            raise
        except Exception as error:  # a user's own module may raise anything when it is imported
            raise PluginError(f"the settings cannot be read: {one_line(error)}") from error

    def parse_path(self, path: Any, **kwargs: Any) -> Any:
        """Reads a configuration file; its name precedes what is wrong with it."""
        try:
            return super().parse_path(path, **kwargs)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Any:
        """Reads the content of a configuration file, which may name configurations that come with the program."""
        return super().parse_string(with_own_configs(content), *args, **kwargs)

    def written(self, settings: Namespace, format: Literal["yaml", "json"] = "yaml") -> str:
        """Settings that were read as text, with those that are null; they are not checked once more."""
        return str(self.dump(settings, format=format, skip_none=False, skip_validation=True))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Reports a mistake on the command line or in a configuration file."""
        if not self.exit_on_error:  # the parser of a class, whose message becomes part of that of the whole
            super().error(message, ex)
        text = explain(message, ex, self.prog, list(self._option_string_actions))
        raise InputError(f"{text} (see {self.prog} --help)") from ex

    def _add_signature_parameter(self, container: Any, nested_key: Any, param: Any, *args: Any, **kwargs: Any) -> Any:
        """Demands an argument without type and default, which its base would take for one that may be None."""
        if param.annotation is inspect.Parameter.empty and param.default is inspect.Parameter.empty:
            param = replace(param, annotation=Any)
        return super()._add_signature_parameter(container, nested_key, param, *args, **kwargs)


def _checked(args: Sequence[str]) -> list[str]:
    """Arguments that are fit for a parser, with the full names of configurations that come with the program."""
    checked = list[str]()
    for before, word in pairwise(["", *args]):
        is_option = word.startswith("--")
        option, is_joined, value = word.partition("=") if is_option else (before, "", word)
        if option.startswith("-") and (is_joined or not is_option):
            value = meant(value) or value
            _check_value(value, option.lstrip("-"))
            word = f"{option}={value}" if is_joined else value
        checked.append(word)
    return checked


def _check_value(value: str, name: str) -> None:
    if name in ("c", "config") and os.path.exists(value):
        check_file(Path(value), name)
    check_named(value, name)
    with suppress(yaml.YAMLError):  # it may be a plain word
        words_of(value, name)
