"""Rules that bound what an update can do: geometric medians, clipping, signs, in NumPy."""
