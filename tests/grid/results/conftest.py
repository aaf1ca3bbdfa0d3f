"""Heat maps as figures, before they are files."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from flt.grid.results import heat_maps


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made."""
    figures: list[Figure] = []

    class Noted(Figure):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            figures.append(self)

    monkeypatch.setattr(heat_maps, "Figure", Noted)
    return figures
