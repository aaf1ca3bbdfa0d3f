"""Draws `partitions.png`, what twenty clients hold under each partition: ``python docs/draw_partitions.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from flt.data import (
    DirichletPartition,
    GammaSimilarityPartition,
    GroupPartition,
    IIDPartition,
    Partition,
    ShardPartition,
    SortedPartition,
)
from flt.data.splits import draw_from_each
from flt.display.overview import class_counts
from flt.display.overview_figure import COUNTS

FIGURE = Path(__file__).with_name("partitions.png")
NUM_CLIENTS, NUM_CLASSES, SIZE = 20, 10, 6000
LABELS = torch.arange(NUM_CLASSES * SIZE) % NUM_CLASSES
LONG_TAIL = torch.tensor([int(SIZE * 0.5**label) for label in range(NUM_CLASSES)])
SHOWN: dict[str, tuple[Partition, bool]] = {
    "IIDPartition": (IIDPartition(), False),
    "GroupPartition, q = 0.5": (GroupPartition(0.5), False),
    "DirichletPartition, alpha = 0.5": (DirichletPartition(0.5), False),
    "ShardPartition, 2 shards": (ShardPartition(2), False),
    "GammaSimilarityPartition, gamma = 0.33": (GammaSimilarityPartition(0.33), False),
    "SortedPartition": (SortedPartition(), False),
    "IIDPartition, long tail 0.5": (IIDPartition(), True),
    "SortedPartition, long tail 0.5": (SortedPartition(), True),
}


def draw_partition(axes: Axes, name: str, partition: Partition, has_long_tail: bool) -> None:
    """Clients from left to right, classes from top to bottom, darker where a client has more examples."""
    draw, labels = torch.Generator().manual_seed(0), LABELS
    if has_long_tail:
        labels = labels[draw_from_each(labels, LONG_TAIL, generator=draw)]
    owners = partition.assign(labels, num_clients=NUM_CLIENTS, num_classes=NUM_CLASSES, generator=draw)
    counts = class_counts(labels[owners.argsort()], owners.bincount(minlength=NUM_CLIENTS), NUM_CLASSES)
    axes.imshow(counts.T, COUNTS, vmin=0, aspect="auto")
    axes.set_title(name, fontsize=9)
    axes.set(xticks=[], yticks=[0, 9])


def main() -> None:
    figure, grid = plt.subplots(2, 4, figsize=(11, 4), layout="constrained")
    for axes, (name, (partition, has_long_tail)) in zip(grid.flat, SHOWN.items(), strict=True):
        draw_partition(axes, name, partition, has_long_tail)
    figure.supxlabel("client", fontsize=9)
    figure.supylabel("class", fontsize=9)
    figure.savefig(FIGURE, dpi=130)


if __name__ == "__main__":
    main()
