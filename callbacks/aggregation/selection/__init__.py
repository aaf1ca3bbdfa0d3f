"""Rules that choose some of the updates, by distances or spectrum."""

__all__: list[str] = []
