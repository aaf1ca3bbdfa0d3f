"""The attacks, by the families of `callbacks.attacks`."""

from catalogue.attacks import backdoors, baselines, blind, omniscient, tailored

ATTACKS = [*baselines.ATTACKS, *blind.ATTACKS, *omniscient.ATTACKS, *tailored.ATTACKS, *backdoors.ATTACKS]
