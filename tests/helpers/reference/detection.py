"""Rules that look for attackers: clusters, histories, reputations, in NumPy."""
