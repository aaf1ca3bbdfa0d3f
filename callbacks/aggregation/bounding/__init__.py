"""Rules that bound what an update can do: geometric medians, clipping, signs."""

__all__: list[str] = []
