"""Rules that choose some of the updates, by distances or spectrum, in NumPy."""
