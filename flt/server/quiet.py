"""Silence around what is only imagined."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Ignores warnings; those of other code are still shown once each.

    `warnings.catch_warnings` would make Python forget what it has shown: with one in every round, a warning that is to
    come once comes every round.
    """
    ignored = ("ignore", None, Warning, None, 0)
    warnings.filters.insert(0, ignored)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        warnings.filters.remove(ignored)  # type: ignore[attr-defined]
