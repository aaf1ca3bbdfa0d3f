"""Label flipping as a callback."""

from dataclasses import replace

import torch

from flt.data.examples import ClientData
from flt.federation import Attack, Federation
from flt.functional import flip_labels


class LabelFlippingAttack(Attack):
    """Malicious clients train on label ``M - 1 - l`` instead of l.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section VI-A.
    """

    def poison(self, federation: Federation) -> ClientData:
        """Flips the labels of the malicious clients."""
        clients = federation.clients
        poisoned = federation.malicious.to(clients.labels.device).repeat_interleave(clients.sizes)
        flipped = flip_labels(clients.labels, federation.num_classes)
        return replace(clients, labels=torch.where(poisoned, flipped, clients.labels))
