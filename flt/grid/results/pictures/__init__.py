"""Figures of a grid: heat maps of its tables, and lines, dots or curves of its runs."""
