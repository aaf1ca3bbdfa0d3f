"""A run's folder: writing, reading, checkpoints, resuming."""
