"""Federated learning under attack, on PyTorch Lightning."""

__version__ = "0.1.0"
