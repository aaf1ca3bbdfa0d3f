"""The attacks, by the families of `callbacks.attacks`."""

from catalogue.attacks import baselines, omniscient

ATTACKS = [*baselines.ATTACKS, *omniscient.ATTACKS]
