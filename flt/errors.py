"""The one exception that means: the user's input is wrong, and here is the remedy."""

from typing import Any, get_args


class InputError(ValueError):
    """A setting, file, checkpoint or update that cannot be used.

    The message is one line that names the argument or file, its value and what to do about it. The command line
    prints it and exits with status 2; anything that is not an ``InputError`` is a bug and keeps its traceback.
    """


class Stopped(Exception):
    """A command ends here, for no mistake in its input; the message is for standard error.

    Args:
        message: One line; empty where another process tells.
        status: The exit status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def check_positive(name: str, value: float, *, above: float = 0.0) -> None:
    """Raises an `InputError` unless ``value`` is a finite number above ``above``.

    Example:
        >>> check_positive("factor", 1.5, above=1)
    """
    if not above < value < float("inf"):
        raise InputError(f"{name}={value} must be a finite number greater than {above:g}")


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raises an `InputError` unless ``value`` is one of a ``Literal`` type's ``choices``.

    Example:
        >>> from typing import Literal
        >>> check_choice("size", "small", Literal["small", "large"])
    """
    if value not in get_args(choices):
        raise InputError(f"{name}={value!r}: choose one of {', '.join(get_args(choices))}")
