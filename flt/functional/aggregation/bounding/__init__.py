"""Rules that bound what an update can do: geometric medians, clipping, signs, tensors to tensors."""

__all__: list[str] = []
