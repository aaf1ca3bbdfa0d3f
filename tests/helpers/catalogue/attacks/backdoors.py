"""Attacks on data and training; what they send is what the malicious clients have trained."""

from functools import partial

import callbacks
from catalogue.row import Attack

ATTACKS = [
    Attack("CriticalLayers", callbacks.CriticalLayers, blind=True),
    Attack("A3FL", partial(callbacks.A3FL, iterations=3, renew_every=2, adversary_epochs=1), blind=True),
]
