"""Rules that measure updates by data of the server's own."""

__all__: list[str] = []
