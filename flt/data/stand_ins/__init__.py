"""Synthetic data in the place of real ones."""
