"""Reads published files and users' own ones into tensors and checks their content."""
