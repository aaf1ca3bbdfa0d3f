"""Without Flower everything else works, and what needs it says so."""

import pytest
from command_line import run

import flt.main


def test_export_without_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flt.main, "find_spec", lambda name: None)
    refused = run("export", "--flower", "app")
    assert (refused.status, 'needs Flower: pip install "flt[flower]"' in refused.errors) == (2, True)
    for word in ("-h", "--help"):
        shown = run("export", word)
        assert (shown.status, shown.errors, "--flower DIR" in shown.output) == (0, "", True)


def test_flower_is_there() -> None:
    pytest.importorskip("flwr", reason='the other tests of this folder need pip install "flt[flower]"')
