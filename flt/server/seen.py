"""Batches as the network sees them."""

from torch import Tensor

from flt.clients.batches import LocalBatches
from flt.data.datamodule import FederatedDataModule


def as_seen(data: FederatedDataModule, batches: LocalBatches, augmentation: Tensor | None) -> LocalBatches:
    """The batches augmented, then normalised.

    Args:
        data: Whose examples they are.
        batches: Of some clients.
        augmentation: Random numbers, shape ``[num_clients, local_steps * batch_size, numbers]``; None where nothing is
            augmented.
    """
    if augmentation is not None:
        changed = data.inputs.augment(batches.features, augmentation.flatten(0, 1))
        batches = batches._replace(features=changed)
    if data.normalization is not None:
        batches = batches._replace(features=data.normalization(batches.features, channel_dim=3))
    return batches
