"""Rules that measure updates by data of the server's own, tensors to tensors."""

__all__: list[str] = []
