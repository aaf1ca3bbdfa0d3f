"""Callbacks that record and show a run: metrics, summary, progress, predictions, W&B."""
