"""Figures and tables for people: the clients' data, the curves of a run, colours."""
