"""Rules that choose some of the updates, by distances or spectrum."""

from callbacks.aggregation.selection.multi_krum import MultiKrum

__all__ = ["MultiKrum"]
