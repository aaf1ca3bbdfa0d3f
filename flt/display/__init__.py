"""What people are shown: who holds what, curves, colours."""
