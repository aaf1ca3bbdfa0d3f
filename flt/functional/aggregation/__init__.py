"""Aggregation rules, tensors to tensors, one a file."""
