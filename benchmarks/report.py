"""How long a report of many cells takes: to make, to write, and to open in Chromium; and how large it is.

python benchmarks/report.py --cells 1000
"""

import argparse
import csv
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import RESULTS, save, say

from flt.files import write_atomically
from flt.grid.plan.outline import Outline
from flt.grid.report.document import document_of
from flt.grid.report.page import page_of
from flt.grid.results.results import Results

FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
SEEDS, ROUNDS, ACROSS = (0, 1, 2), 100, 20


def results_of(folder: Path, num_cells: int) -> Results:
    """A grid of rules and 20 attacks, with three finished runs a cell, each with 100 rows of six metrics."""
    rules, attacks = [f"rule {n}" for n in range(max(1, num_cells // ACROSS))], [f"attack {n}" for n in range(ACROSS)]
    rows = []
    for y, rule in enumerate(rules):
        for x, attack in enumerate(attacks):
            for seed in SEEDS:
                error = 0.02 + 0.001 * ((7 * y + 13 * x + seed) % 400)
                row = {"rule": rule, "attack": attack, "seed": seed, "data_used": "none", "testing_error_rate": error}
                row |= {"attack_success_rate": 2 * error, "rounds": 1000}
                rows.append(row)
                write_run(folder / "cells" / f"rule_{y}-attack_{x}" / f"seed_{seed}", row)
    return Results(
        folder, Outline("Many cells", {"rule": rules, "attack": attacks}, list(SEEDS), "rule", "attack"), rows
    )


def write_run(folder: Path, row: dict[str, Any]) -> None:
    """What a finished run leaves."""
    folder.mkdir(parents=True)
    counts = dict.fromkeys(("num_clients", "num_malicious", "num_dropped"), 0) | {"rounds": 1000, "seed": row["seed"]}
    rates = {name: row[name] for name in ("testing_error_rate", "attack_success_rate")}
    scores = {"trust_score_benign": 0.5, "trust_score_malicious": 0.1}
    own = {"data": "none", "stand_in": False, "aggregation": "a", "attack": "b", "seconds": 1.0}
    (folder / "summary.json").write_text(json.dumps({**own, **rates, **scores, **counts}))
    (folder / "config.yaml").write_text("{trainer: {max_steps: 1000}, model: {client_lr: 0.5}}")
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["round", *rates, *scores, "kept_benign", "kept_malicious"])
        for n in range(1, ROUNDS + 1):
            writer.writerow(
                [10 * n, *(rate * (1 + 1 / n) for rate in rates.values()), 0.5 + 0.3 / n, 0.1 / n, 1, 1 / n]
            )


def seconds_to_open(path: Path, repeats: int) -> list[float]:
    """Seconds until Chromium has loaded a page, its script has run and it is laid out; nothing without Chromium."""
    try:
        from selenium import webdriver
    except ImportError:
        return []
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        return []
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        with webdriver.Chrome(options, webdriver.ChromeService(driver)) as browser:
            found = []
            for _ in range(repeats):
                browser.get("about:blank")
                browser.get(path.as_uri())
                found.append(browser.execute_script("document.body.offsetHeight; return performance.now() / 1000"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=1000, help="cells of the grid (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="times that the page is opened (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = results_of(Path(folder), options.cells)
        started = time.perf_counter()
        document = document_of([results])
        made = time.perf_counter()
        path = Path(folder) / "report.html"
        write_atomically(path, page_of(document))
        written = time.perf_counter()
        opened = seconds_to_open(path, options.repeats)
        found = {
            "cells": len(document["grids"][0]["cells"]),
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "seconds": {"document": round(made - started, 2), "page": round(written - made, 2)},
            "seconds_to_open": [round(each, 2) for each in opened],
        }
    say(f"{found['cells']} cells: {found['megabytes']} MB, {found['seconds']}, opened in {found['seconds_to_open']} s")
    save(options.out, "report", found)


if __name__ == "__main__":
    main()
