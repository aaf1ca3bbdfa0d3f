"""The name that rules of version 0.1 import; `flt.federation` is its place now."""

from flt.federation import Judgement  # noqa: F401
