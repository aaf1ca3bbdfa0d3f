"""Partitions: which client owns which training example, for data sets without natural clients."""

from flt.data.partitions.base import Partition
from flt.data.partitions.dirichlet import DirichletPartition
from flt.data.partitions.group import GroupPartition
from flt.data.partitions.slices import GammaSimilarityPartition, IIDPartition, ShardPartition, SortedPartition

__all__ = [
    "DirichletPartition",
    "GammaSimilarityPartition",
    "GroupPartition",
    "IIDPartition",
    "Partition",
    "ShardPartition",
    "SortedPartition",
]
