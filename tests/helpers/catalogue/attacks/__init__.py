"""The attacks, by the families of `callbacks.attacks`."""

from catalogue.attacks import baselines

ATTACKS = [*baselines.ATTACKS]
