"""The data of each client at the start of a run, before any attack has changed them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation import Attack, Backdoor
from flt.federation.membership import backdoor_of, form_federation, own_backdoor

NUM_TRIGGER_EXAMPLES = 2


@dataclass(frozen=True, eq=False)
class TriggerExamples:
    """A few test examples without and with a backdoor's trigger.

    Attributes:
        labels: Their classes, one for each.
        before: The examples, shape ``[num_examples, *shape]``.
        after: The same with the trigger.
        target_class: The class the backdoor aims at.
        origin: Name of the attack or data set that the trigger belongs to.
        parts: The first example with each of the parts that single clients embed, shape ``[num_parts, *shape]``; None
            where each embeds the whole trigger.
        has_pattern: Whether there is a pattern; else the examples themselves are the trigger.
    """

    labels: tuple[int, ...]
    before: Tensor
    after: Tensor
    target_class: int
    origin: str
    parts: Tensor | None = None
    has_pattern: bool = True

    @property
    def are_images(self) -> bool:
        """Whether the examples are images [channels, height, width]."""
        return self.before.dim() == 4


@dataclass(frozen=True, eq=False)
class DataOverview:
    """The data of all clients, of the server and of the test set, in numbers.

    Attributes:
        title: The data set's name, marked if the data are synthetic.
        class_names: Names of the classes.
        counts: Examples of each client by class, int64 of shape ``[num_clients, num_classes]``.
        malicious: Which clients are malicious for the whole run, boolean of shape ``[num_clients]``.
        who: How many clients are malicious, and when, for people.
        root_counts: Examples of the root dataset by class, int64 of shape ``[num_classes]``.
        examples: How many examples there are for what, for people.
        clients: How many clients there are and how the training examples were dealt out to them, for people.
        root: How the root dataset was drawn, for people.
        partition: How the training examples were dealt out, for people.
        attack: The attack's label.
        seed: The run's seed, and that of the data where it is another.
        trigger: Examples of the backdoor's trigger; None where there is no trigger.
    """

    title: str
    class_names: tuple[str, ...]
    counts: Tensor
    malicious: Tensor
    who: str
    root_counts: Tensor
    examples: str
    clients: str
    root: str
    partition: str
    attack: str
    seed: str
    trigger: TriggerExamples | None

    @property
    def num_clients(self) -> int:
        """Number of clients."""
        return len(self.counts)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.counts.shape[1]

    @property
    def num_malicious(self) -> int:
        """Number of clients that are malicious for the whole run."""
        return int(self.malicious.sum())


def overview_of(data: FederatedDataModule, attack: Attack | None) -> DataOverview:
    """Loads the data and deals them out as a run with this attack and the present seed would.

    Args:
        data: The data, set up or not.
        attack: The run's attack; None for none.

    Raises:
        InputError: If the data cannot be loaded or dealt out, or the attack's backdoor does not fit them.
    """
    data.prepare_data()
    data.setup()
    federation = form_federation(data, attack)
    return DataOverview(
        title=data.display_name,
        class_names=tuple(data.class_names),
        counts=class_counts(data.clients.labels, data.clients.sizes, data.num_classes),
        malicious=federation.malicious_throughout,
        who=federation.describe_malicious(),
        root_counts=data.root.labels.cpu().bincount(minlength=data.num_classes),
        examples=data.describe_examples(),
        clients=data.describe_clients(),
        root=data.describe_root(),
        partition=data.describe_partition(),
        attack=attack.label if attack else "NoAttack",
        seed=str(data.run_seed) + ("" if data.seed == data.run_seed else f"; of the data: {data.seed}"),
        trigger=_trigger_examples(data, attack),
    )


def class_counts(labels: Tensor, sizes: Tensor, num_classes: int) -> Tensor:
    """Examples of each client by class.

    Args:
        labels: Classes of all examples, sorted by client, int64 of shape ``[num_examples]``.
        sizes: Number of examples of each client, int64 of shape ``[num_clients]``.
        num_classes: Number of classes M.

    Returns:
        Int64 of shape ``[num_clients, num_classes]``.

    Example:
        >>> class_counts(torch.tensor([0, 0, 1]), torch.tensor([1, 0, 2]), 2).tolist()
        [[1, 0], [0, 0], [1, 1]]
    """
    owners = torch.arange(len(sizes)).repeat_interleave(sizes.cpu())
    cells = (owners * num_classes + labels.cpu()).bincount(minlength=len(sizes) * num_classes)
    return cells.reshape(len(sizes), num_classes)


def _trigger_examples(data: FederatedDataModule, attack: Attack | None) -> TriggerExamples | None:
    attacks = backdoor_of(attack, data)
    backdoor = attacks or own_backdoor(data)
    tested = data.test if backdoor.examples is None else backdoor.examples
    chosen = _first_examples(tested.labels.cpu(), backdoor)
    if not chosen:
        return None
    before = tested.features[chosen].cpu()
    try:
        after = backdoor.trigger(before)
    except InputError:  # of a data set without a trigger, which the run does not need
        return None
    unused = f"{data.dataset_name}, which {attack.label if attack else 'this run'} does not use"
    return TriggerExamples(
        labels=tuple(tested.labels[chosen].tolist()),
        before=before,
        after=after,
        target_class=backdoor.target_class,
        origin=attack.label if attack and attacks else unused,
        parts=torch.cat([part(before[:1]) for part in backdoor.parts]) if backdoor.parts else None,
        has_pattern=not backdoor.trigger.in_place,
    )


def _first_examples(labels: Tensor, backdoor: Backdoor) -> list[int]:
    """Rows of the first examples of the first classes other than the target; of the first ones, where all are alike."""
    present = labels.bincount().nonzero().flatten().tolist()
    others = [label for label in present if label != backdoor.target_class][:NUM_TRIGGER_EXAMPLES]
    if len(others) == 1 and backdoor.examples is not None:
        rows: list[int] = (labels == others[0]).nonzero().flatten()[:NUM_TRIGGER_EXAMPLES].tolist()
        return rows
    return [int((labels == label).nonzero()[0]) for label in others]
