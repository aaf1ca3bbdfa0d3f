"""Reads text tables of numbers; messages name the line that is wrong."""

import io

import numpy as np
from numpy.typing import NDArray

from flt.errors import InputError


def parse_table(
    text: bytes, *, columns: int, low: float, high: float, name: str, remedy: str, whole: bool = False
) -> NDArray[np.float64]:
    r"""Reads a table of numbers separated by blanks, equally many in each line; empty lines are skipped.

    Args:
        text: The file's content.
        columns: Number of values in each line.
        low: Smallest value allowed.
        high: Largest value allowed. NaN and infinity never are.
        name: The file's name, for messages.
        remedy: Advice for the user of a bad file, for messages.
        whole: Whether only whole numbers are allowed.

    Returns:
        Array of shape ``[num_lines, columns]``.

    Raises:
        InputError: If the file is empty or a line has another number of values, something that is not a number, or a
            number out of range; the message names the line.

    Example:
        >>> parse_table(b"1 2\n3 4\n", columns=2, low=0, high=9, name="X.txt", remedy="replace it").tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if not text.strip():
        raise InputError(f"{name} is empty: {remedy}")
    try:
        table = np.loadtxt(io.BytesIO(text), ndmin=2, comments=None, encoding="latin1")
    except ValueError as error:
        raise InputError(f"{name}, {_first_misread(text, columns)}: {remedy}") from error
    if table.shape[1] != columns:
        raise InputError(f"{name}, {_first_misread(text, columns)}: {remedy}")
    allowed = (table >= low) & (table <= high)
    if whole:
        allowed &= table == table.round()
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        line = [number for number, content in enumerate(text.splitlines(), 1) if content.strip()][row]
        raise InputError(
            f"{name}, line {line} has {table[row, column]:g} in column {column + 1},"
            f" where values are {'whole numbers' if whole else 'numbers'} from {low:g} to {high:g}: {remedy}"
        )
    return table


def _first_misread(text: bytes, columns: int) -> str:
    for number, line in enumerate(text.decode("latin1").splitlines(), 1):
        tokens = line.split()
        if tokens and len(tokens) != columns:
            return f"line {number} has {len(tokens)} values instead of {columns}"
        for token in tokens:
            try:
                float(token)
            except ValueError:
                return f"line {number} has {token[:20]!r}, which is not a number"
    return "some line cannot be read"
