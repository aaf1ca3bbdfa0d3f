"""Makes synthetic data that take the place of real ones."""
