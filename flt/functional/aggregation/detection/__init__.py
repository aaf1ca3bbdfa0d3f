"""Rules that look for attackers: clusters, histories, reputations, tensors to tensors."""

__all__: list[str] = []
