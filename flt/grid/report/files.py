"""The files of a report: the page, and its data with their form beside it."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from flt.files import write_atomically
from flt.grid.report.page import page_of

DATA, SCHEMA = "results.json", "results.schema.json"


def write_report(path: Path, document: Mapping[str, Any]) -> None:
    """Writes the page of a document, and beside it ``results.json`` and ``results.schema.json``."""
    write_atomically(path, page_of(document))
    text = json.dumps({"$schema": SCHEMA, **document}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    write_atomically(path.with_name(DATA), text + "\n")
    write_atomically(path.with_name(SCHEMA), (resources.files("flt.grid.report") / "assets" / SCHEMA).read_bytes())
