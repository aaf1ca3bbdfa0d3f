"""Rules that look for attackers: clusters, histories, reputations."""

__all__: list[str] = []
