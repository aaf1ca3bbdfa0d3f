"""The attacks, by the families of `callbacks.attacks`."""

from catalogue.attacks import baselines, blind, omniscient, tailored

ATTACKS = [*baselines.ATTACKS, *blind.ATTACKS, *omniscient.ATTACKS, *tailored.ATTACKS]
