"""The parser of every command: jsonargparse's, but a mistake is explained in one line."""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # in its documentation

from flt.cli.configs import ENDINGS, check_file, check_word, own_config, with_own_configs, words_of
from flt.cli.messages import came_up_in_an_import, explain
from flt.errors import InputError, one_line


class FederatedArgumentParser(ArgumentParser):
    """Raises an `InputError` where its base prints the usage and exits; takes no abbreviated options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def add_config(self, help: str) -> None:
        """Adds ``--config``, which reads settings from a file."""
        self.add_argument("-c", "--config", metavar="FILE", action=ActionConfigFile, help=help)

    def parse_args(self, args: Any = None, *others: Any, **kwargs: Any) -> Any:
        """Parses arguments, once files and values are seen to be fit for it.

        A user's own module that cannot be imported is a mistake of the user's.
        """
        words = None if args is None else self._checked(args)
        try:
            return super().parse_args(words, *others, **kwargs)
        except InputError:
            raise
        except Exception as error:
            if not came_up_in_an_import(error):
                raise
            raise InputError(f"a class cannot be imported: {one_line(error)}") from error

    def parse_path(self, path: Any, **kwargs: Any) -> Any:
        """Reads a configuration file; its name precedes what is wrong with it."""
        try:
            return super().parse_path(path, **kwargs)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def parse_string(self, content: str, *args: Any, **kwargs: Any) -> Any:
        """Reads the content of a configuration file, which may name configurations that come with the program."""
        return super().parse_string(with_own_configs(content), *args, **kwargs)

    def _checked(self, args: Sequence[str]) -> list[str]:
        """The arguments, with the full names of configurations that come with the program.

        Raises:
            InputError: If one of them names a file, or is a value, that no parser should be given.
        """
        checked, option = list[str](), ""
        for word in args:
            is_option = word.startswith("-") and word != "-"
            name, is_joined, value = word.partition("=") if is_option else (option, "", word)
            option = name if is_option and not is_joined else ""
            if is_joined or not is_option:
                word = word.removesuffix(value) + self._checked_value(name, value)
            checked.append(word)
        return checked

    def _checked_value(self, option: str, value: str) -> str:
        name, action = option.lstrip("-") or "argument", self._option_string_actions.get(option)
        takes_file = getattr(action, "_enable_path", False) or getattr(action, "metavar", None) in ("CONFIG", "FILE")
        if value == "-":
            raise InputError(f"{name}=-: standard input is not read, give a file")
        check_word(value, name)
        own = own_config(value)
        path = Path(value).expanduser() if own is None else own
        if own is not None or (len(value) < 1000 and (takes_file or value.endswith(ENDINGS)) and path.is_file()):
            check_file(path, name)
        else:
            try:
                list(words_of(value))
            except yaml.YAMLError:
                pass  # it may be a plain word
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
        return str(path) if own is not None else value

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Reports a mistake on the command line or in a configuration file."""
        if not self.exit_on_error:  # the parser of a class, whose message becomes part of that of the whole
            super().error(message, ex)
        hint = f" (see {self.prog} --help)"
        raise InputError(explain(message, self.prog, self._option_string_actions).removesuffix(hint) + hint) from ex

    def _add_signature_parameter(self, container: Any, nested_key: Any, param: Any, *args: Any, **kwargs: Any) -> Any:
        """Demands an argument without type and default, which its base would take for one that may be None."""
        if param.annotation is inspect.Parameter.empty and param.default is inspect.Parameter.empty:
            param = replace(param, annotation=Any)
        return super()._add_signature_parameter(container, nested_key, param, *args, **kwargs)
