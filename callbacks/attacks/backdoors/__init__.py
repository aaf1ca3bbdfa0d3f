"""Backdoors: attacks on data and training that have triggered examples taken for a class of the attacker's."""

__all__: list[str] = []
