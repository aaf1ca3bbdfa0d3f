"""Attacks, tensors to tensors."""
