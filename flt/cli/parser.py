"""The parser of every command: jsonargparse's, but a mistake is explained in one line."""

import inspect
from dataclasses import replace
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]  # in its documentation

from flt.cli.messages import came_up_in_an_import, explain
from flt.errors import InputError, one_line


class FederatedArgumentParser(ArgumentParser):
    """Raises an `InputError` where its base prints the usage and exits; takes no abbreviated options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def add_config(self, help: str) -> None:
        """Adds ``--config``, which reads settings from a file."""
        self.add_argument("-c", "--config", metavar="FILE", action=ActionConfigFile, help=help)

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parses arguments; a user's own module that cannot be imported is a mistake of the user's."""
        try:
            return super().parse_args(*args, **kwargs)
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
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is no text in UTF-8 ({error.reason}): give a YAML file") from error

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
