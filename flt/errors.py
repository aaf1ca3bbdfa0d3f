"""The one exception that means: the user's input is wrong, and here is the remedy."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

LIBRARY = re.compile(r"[/\\](lib[/\\]python[\d.]+|site-packages|dist-packages)[/\\]|^<|\.pyx$")
"""Matches the path of code that is installed (the standard library's, packages') or that a library generates."""

OURS = tuple(f"{Path(__file__).resolve().parents[1] / package}/" for package in ("flt", "callbacks"))
"""Folders of this project's own code."""

SMALLEST, LARGEST = 2.0**-126, 2.0**128 - 2.0**104
"""The smallest and the largest positive number that float32 holds in full precision."""


class InputError(ValueError):
    """A setting, file, checkpoint or update that cannot be used.

    The message is one line that names the argument or file, its value and what to do about it. The command line
    prints it and exits with status 2; anything that is not an ``InputError`` is a bug and keeps its traceback.
    """


class PluginError(InputError):
    """An exception from code that a setting names: a user's own class, Lightning's part of a run, a logger.

    Raise it ``from`` that exception, with a message made by `one_line`. The command line writes the traceback into a
    file and puts the file's path behind the message.

    Example:
        >>> try:
        ...     1 / 0
        ... except ArithmeticError as error:
        ...     raise PluginError(f"the rule Mine: {one_line(error)}") from error
        Traceback (most recent call last):
        flt.errors.PluginError: the rule Mine: ZeroDivisionError: division by zero
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


def one_line(error: BaseException) -> str:
    """Kind and message of an exception in one line, with the file and the line of a user's code where it came up.

    Of an exception that a library made of one from a user's code, the latter is told.
    """
    error = next((each for each in chain(error) if own_frame(each)), error)
    frame = None if isinstance(error, SyntaxError | ModuleNotFoundError) else own_frame(error)
    place = f" ({frame.filename}, line {frame.lineno})" if frame else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, what it was raised from or while, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost place of a traceback in a user's own code; None if the exception passed through none.

    A user's own code is neither installed nor part of this project.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame for frame in reversed(frames) if is_own(frame.filename)), None)


def is_own(filename: str) -> bool:
    """Whether a file is a user's own code: neither installed nor part of this project."""
    return not LIBRARY.search(filename) and not str(Path(filename).resolve()).startswith(OURS)


def check_positive(name: str, value: float, *, above: float = 0.0) -> None:
    """Raises an `InputError` unless ``value`` is a number above ``above`` that float32, in which models are, can hold.

    Example:
        >>> check_positive("factor", 1.5, above=1)
    """
    if not above < value < float("inf"):
        raise InputError(f"{name}={value} must be a finite number greater than {above:g}")
    if not SMALLEST <= value <= LARGEST:
        raise InputError(f"{name}={value} is out of the range of float32, {SMALLEST:.1e} to {LARGEST:.1e}")


def check_count(name: str, value: int | None, *, least: int = 1) -> None:
    """Raises an `InputError` unless ``value`` is ``least`` or more, or None where a setting may be left out.

    Example:
        >>> check_count("size", 3)
    """
    if value is not None and value < least:
        raise InputError(f"{name}={value} must be at least {least}")


def check_not_negative(name: str, value: float) -> None:
    """Raises an `InputError` unless ``value`` is 0 or a number above it that float32 can hold.

    Example:
        >>> check_not_negative("noise", 0.0)
    """
    if not 0 <= value <= LARGEST:
        raise InputError(f"{name}={value} must be a number from 0 to {LARGEST:.1e}")


def check_share(name: str, value: float) -> None:
    """Raises an `InputError` unless ``value`` is a share of something: above 0 and at most 1.

    Example:
        >>> check_share("tail", 0.05)
    """
    if not 0 < value <= 1:
        raise InputError(f"{name}={value} must be above 0 and at most 1")


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raises an `InputError` unless ``value`` is one of a ``Literal`` type's ``choices``.

    Example:
        >>> from typing import Literal
        >>> check_choice("size", "small", Literal["small", "large"])
    """
    if value not in get_args(choices):
        raise InputError(f"{name}={value!r}: choose one of {', '.join(get_args(choices))}")
