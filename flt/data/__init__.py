"""Federated data sets: what clients, the server's root data set and the test set hold, and how they are read."""

from flt.data.datamodule import FederatedDataModule, RawData
from flt.data.examples import ClientData, Examples
from flt.data.har import HAR
from flt.data.root import sample_root
from flt.data.rounds import Batches, Rounds
from flt.data.triggers import HAR_TRIGGER, FeatureTrigger, Trigger

__all__ = [
    "HAR",
    "HAR_TRIGGER",
    "Batches",
    "ClientData",
    "Examples",
    "FeatureTrigger",
    "FederatedDataModule",
    "RawData",
    "Rounds",
    "Trigger",
    "sample_root",
]
