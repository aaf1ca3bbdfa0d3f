"""Flower: the rules as a strategy for real clients, and attacks as client mods; needs ``pip install "flt[flower]"``."""

from importlib.util import find_spec

if find_spec("flwr") is None:
    raise ImportError('flt.flower needs Flower: pip install "flt[flower]"')

from flt.flower.clients import ConfiguredClients
from flt.flower.mods import attack_mod
from flt.flower.report import Report
from flt.flower.root import RootTraining
from flt.flower.strategy import RobustStrategy

__all__ = ["ConfiguredClients", "Report", "RobustStrategy", "RootTraining", "attack_mod"]
