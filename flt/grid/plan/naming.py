"""What levels, axes and measures are called, in files and for people."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

MEASURES = {"testing_error_rate": "testing error rate", "attack_success_rate": "attack success rate"}
"""The rates on the test set, with their names for people."""

WORST = "worst"
"""The last column or row of a table that has the worst of an axis, and a column of ``table.csv``."""

BREAKS_AT = "breaks at"
"""The last column or row of a table that has where rules break."""

SELECTED, POINT = "selected", "breaks_at"
DIFFERENCE = ("difference", "difference_low", "difference_high", "p_value")
"""Further columns of ``table.csv``: of `Select`, `Breaks` and `Compare`."""

NAMES = {
    **MEASURES,
    "validation_error_rate": "validation error rate",
    "validation_attack_success_rate": "validation attack success rate",
    "root_size": "examples in the root dataset",
    "root_batch_size": "examples of the root dataset per step",
    "bias_probability": "bias probability of the root dataset",
    "num_clients": "number of clients",
    "fraction": "fraction of malicious clients",
    "noniid_degree": "degree of non-IID (q)",
    "local_steps": "local steps",
    "local_epochs": "local epochs",
    "client_lr": "clients' learning rate",
    "update_norm": "length of the aggregate",
    "root_update_norm": "length of the root update",
    "training_loss": "benign clients' training loss",
    "testing_loss": "loss on the test set",
    "client_error_mean": "clients' error: mean",
    "client_error_worst_tenth": "clients' error: worst tenth",
    "client_error_spread": "clients' error: spread",
    "trust_score_benign": "mean trust score, benign clients",
    "trust_score_malicious": "mean trust score, malicious clients",
    "weight_benign": "mean weight, benign clients",
    "weight_malicious": "mean weight, malicious clients",
    "kept_benign": "share of benign clients kept",
    "kept_malicious": "share of malicious clients kept",
    "guaranteed_progress": "guaranteed progress along the root update",
    "progress_taken": "share of the progress that an attack could take",
    "leverage": "largest distance from the benign mean, in its lengths",
    "leverage_used": "share of that distance that an attack made",
    "kappa_bound": "published bound of kappa",
    "rule": "aggregation rule",
}


CELLS = "cells"
"""The folder, in that of a grid's results, with what its runs leave."""

LONGEST = 80
"""Letters of a label in a folder's name: those of several axes have to fit into 255."""


def column_of(axis: str) -> str:
    """The column of an axis: the last part of a dotted setting.

    Example:
        >>> column_of("data.root_size")
        'root_size'
    """
    return axis.rsplit(".", 1)[-1]


def label_of(value: Any) -> str:
    """A level's value as its label.

    Example:
        >>> label_of(0.20), label_of(None), label_of("Krum")
        ('0.2', 'null', 'Krum')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def readable(column: str) -> str:
    """A column's name for people.

    Example:
        >>> readable("bias_probability"), readable("server_lr"), readable("class_error/ankle_boot")
        ('bias probability of the root dataset', 'server lr', 'class error: ankle boot')
    """
    return NAMES.get(column, column.replace("_", " ").replace("/", ": "))


def titled(column: str, label: str) -> str:
    """A level as a title: with its axis, unless words speak for themselves.

    Example:
        >>> titled("data", "Fashion-MNIST"), titled("root_size", "50"), titled("root_batch_size", "null")
        ('Fashion-MNIST', 'examples in the root dataset: 50', 'examples of the root dataset per step: null')
    """
    speaks = re.search(r"[^\W\d_]{2}", label) and label not in ("null", "true", "false")
    return label if speaks else f"{readable(column)}: {label}"


def slug(label: str) -> str:
    """A label as part of a folder's name; a long one is cut and told from its like by a hash.

    Example:
        >>> slug("Adaptive attack, exact"), slug("1/M"), slug("0.2"), len(slug(300 * "a"))
        ('adaptive_attack_exact', '1_m', '0.2', 73)
    """
    name = re.sub(r"[^a-z0-9.]+", "_", label.lower()).strip("_.") or "_"
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 16]}_{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def cell_name(labels: Iterable[str]) -> str:
    """A cell's levels, in the order of the axes, as the name of a folder.

    Example:
        >>> cell_name(["No attack", "FedAvg"])
        'no_attack-fedavg'
    """
    return "-".join(map(slug, labels))


def run_folder(folder: Path, cell: str, seed: int) -> Path:
    """Where a run of a grid leaves its files.

    Args:
        folder: The grid's results.
        cell: The cell's name.
        seed: The run's seed.
    """
    return folder / CELLS / cell / f"seed_{seed}"
