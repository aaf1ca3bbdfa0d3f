"""Settings that a run must share with the checkpoint it goes on from, as plain values."""

from typing import Any

from flt.data.datamodule import FederatedDataModule
from flt.federation import Aggregation, Attack, Federation


def settings_of_data(data: FederatedDataModule, *, seed: int) -> dict[str, Any]:
    """Settings that even an evaluation must share."""
    return {
        "data": data.display_name,
        "seed": seed,
        "root_size": data.root_size,
        "bias_probability": data.bias_probability,
        "biased_class": data.biased_class,
        "root_path": data.root_path and str(data.root_path.resolve()),
        "normalize": data.inputs.normalize,
    }


def settings_of_rounds(
    data: FederatedDataModule, federation: Federation, rule: Aggregation, attack: Attack | None
) -> dict[str, Any]:
    """Settings of the rounds that matter for training on, less those of the model."""
    return {
        "aggregation": rule.describe(federation),
        "attack": f"{attack.label}, {federation.num_malicious} malicious" if attack else "NoAttack",
        "batch_size": data.batch_size,
        "clients_per_round": federation.clients_per_round,
        "num_clients": data.num_clients,
        "partition": data.describe_partition(),
        "inputs": data.inputs.describe(),
    }
