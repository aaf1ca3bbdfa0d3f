"""Rules that choose some of the updates, by distances or spectrum, tensors to tensors."""

__all__: list[str] = []
