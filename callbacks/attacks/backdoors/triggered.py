"""Batches with a trigger in some of their examples."""

from flt.clients.batches import LocalBatches
from flt.federation import Backdoor


def triggered(batches: LocalBatches, backdoor: Backdoor, fraction: float) -> LocalBatches:
    """Batches in which the first examples of each have the trigger and the target class.

    Args:
        batches: Features in the data set's units.
        backdoor: The backdoor.
        fraction: Part of each batch, rounded up.
    """
    features, labels = batches.features.clone(), batches.labels.clone()
    for client, numbers in enumerate((batches.sizes.double() * fraction).ceil().long()):
        for number in filter(None, numbers.unique().tolist()):
            steps = (numbers == number).nonzero().flatten()
            some = features[client, steps, :number]
            features[client, steps, :number] = backdoor.trigger(some.flatten(0, 1)).view_as(some)
            labels[client, steps, :number] = backdoor.target_class
    return batches._replace(features=features, labels=labels)
