"""Where rules of version 0.1 import from; `flt.federation` is the place."""

from flt.federation import *  # noqa: F403
