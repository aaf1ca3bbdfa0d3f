"""What is to run: axes, cells, names, the published numbers."""
