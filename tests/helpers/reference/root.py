"""Rules that measure updates by data of the server's own, in NumPy."""
