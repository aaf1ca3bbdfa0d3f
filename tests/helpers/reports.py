"""Grids with finished runs that nobody has run, for reports."""

import csv
import json
from pathlib import Path
from typing import Any

import yaml
from grids import make_outline, make_row

from flt.grid import Results
from flt.grid.plan.naming import slug
from flt.grid.results.rows import Row

LONG, HEBREW = "very long " * 30, "\u05db\u05dc\u05dc \u202e(abc) 12"
HOSTILE = ["<script>alert(1)</script>", "=cmd()", LONG, HEBREW, "\"' onfocus=alert(1) x='"]
SETTINGS: dict[str, Any] = {
    "seed_everything": 0,
    "trainer": {"max_steps": 100, "logger": [], "devices": 1},
    "aggregation": {"class_path": "callbacks.FedAvg"},
}


def write_run(folder: Path, row: Row, *, rounds: int = 100, settings: dict[str, Any] = SETTINGS) -> None:
    """Leaves what a run with such a row leaves; its error falls from twice as much."""
    folder.mkdir(parents=True)
    error, success = row["testing_error_rate"], row["attack_success_rate"]
    kept = ("testing_error_rate", "attack_success_rate", "trust_score_benign", "trust_score_malicious")
    numbers = {name: row[name] for name in (*kept, "num_clients", "num_malicious", "num_dropped", "rounds", "seed")}
    attack = "NoAttack" if row.get("attack") == "No attack" else "TrimAttack"
    versions = {"torch": "2.14.1", "flt": "0.1.0"}
    rest = {"data": row["data_used"], "stand_in": True, "aggregation": "FedAvg", "attack": attack, "seconds": 1.5}
    (folder / "summary.json").write_text(json.dumps({**rest, **numbers, "versions": versions}))
    (folder / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["round", "testing_error_rate", "attack_success_rate", "weight_benign", "weight_malicious"])
        for number in range(1, rounds + 1):
            rate = error * (2 - number / rounds)
            writer.writerow([number, rate, "" if success is None else success, 0.04, 0.01])


def make_results(folder: Path, axes: dict[str, list[str]] | None = None, **outline: Any) -> Results:
    """The results of a grid of rules and attacks, of which a reference knows the first rule's; runs are in place."""
    axes = axes or {"rule": ["FedAvg", "FLTrust", "Krum"], "attack": ["No attack", "Trim attack", "Scaling attack"]}
    made = make_outline(axes, source="the paper's", **outline)
    rows = []
    for y, rule in enumerate(axes["rule"]):
        for x, attack in enumerate(axes["attack"]):
            labels = {"rule": rule, "attack": attack}
            for seed in made.seeds:
                error = 0.03 + 0.07 * ((2 * y + x) % 5) + 0.005 * seed
                known = (0.05, None) if y == 0 else (None, None)
                success = 0.9 - 0.2 * y if attack == "Scaling attack" else None
                rows.append(make_row(labels, error, success, seed=seed, published=known))
                write_run(folder / "cells" / f"{slug(rule)}-{slug(attack)}" / f"seed_{seed}", rows[-1])
    results = Results(folder, made, rows)
    results.write_tables()
    (folder / "grid.yaml").write_text(made.as_yaml())
    return results
