"""Attacks by data and training of malicious clients' own; most have triggered examples taken for a class of theirs."""

from callbacks.attacks.backdoors.a3fl import A3FL
from callbacks.attacks.backdoors.chameleon import Chameleon
from callbacks.attacks.backdoors.critical_layers import CriticalLayers
from callbacks.attacks.backdoors.dba import DBA
from callbacks.attacks.backdoors.edge_case import EdgeCase
from callbacks.attacks.backdoors.model_replacement import ModelReplacement
from callbacks.attacks.backdoors.neurotoxin import Neurotoxin
from callbacks.attacks.backdoors.pga import PGA
from callbacks.attacks.backdoors.projected_backdoor import ProjectedBackdoor

__all__ = [
    "A3FL",
    "DBA",
    "PGA",
    "Chameleon",
    "CriticalLayers",
    "EdgeCase",
    "ModelReplacement",
    "Neurotoxin",
    "ProjectedBackdoor",
]
