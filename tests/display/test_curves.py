"""The curves of a run: which panels and lines are there."""

import io

import pytest
from PIL import Image

from flt.display.curves import drawn_curves, has_curves


def row(number, **values):
    return {"round": number, "training_loss": 0.5, **values}


ROWS = {
    "none": [],
    "one": [row(1, testing_error_rate=0.3)],
    "error only": [row(i, testing_error_rate=1 / i) for i in range(1, 40)],
    "with trust": [row(i, trust_score_benign=0.2, trust_score_malicious=-0.1) for i in range(1, 40)],
    "all": [
        row(i, testing_error_rate=1 / i, attack_success_rate=0.5, trust_score_benign=0.2, trust_score_malicious=0.0)
        for i in range(1, 40)
    ],
    "gaps": [
        row(i, **({"testing_error_rate": 0.1} if i % 10 == 0 else {"trust_score_benign": 0.4})) for i in range(99)
    ],
    "nan": [row(i, testing_error_rate=0.1, trust_score_benign=float("nan")) for i in range(1, 5)],
}
TWO_PANELS = {"all", "gaps", "nan"}


@pytest.mark.parametrize("name", ROWS)
def test_a_png_of_sensible_size(name):
    image = Image.open(io.BytesIO(drawn_curves(ROWS[name], f"Tiny · FLTrust · {name}")))
    assert image.format == "PNG"
    assert 900 < image.width < 1500
    assert (800 < image.height < 1200) if name in TWO_PANELS else (400 < image.height < 700)
    colours = image.convert("RGB").getcolors(maxcolors=2**24)
    assert len(colours) > 10  # not blank


TRUST, WEIGHTS, KEPT = (
    {f"{metric}_benign": benign, f"{metric}_malicious": malicious}
    for metric, benign, malicious in (("trust_score", 0.2, 0.0), ("weight", 0.1, 0.0), ("kept", 1.0, 0.5))
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        (WEIGHTS, True),
        ({"weight_benign": 0.1, "weight_malicious": 0.1}, False),
        ({"weight_benign": 0.1}, False),
        (KEPT, True),
        ({"kept_benign": 1.0, "kept_malicious": 1.0}, False),
        ({"guaranteed_progress": 0.2}, True),
        ({"leverage": 3.0}, True),
        ({"leverage_used": 0.5}, True),
        ({"kappa": 0.5}, True),
    ],
)
def test_what_says_nothing_is_left_out(values, expected):
    assert has_curves([row(1, **values)]) == expected
    # Weights follow trust scores, which tell the same.
    height = Image.open(io.BytesIO(drawn_curves([row(1, **TRUST, **values)], ""))).height
    assert (height > 800) == (expected and "weight_benign" not in values)


def colours_of(rows):
    image = Image.open(io.BytesIO(drawn_curves(rows, "title"))).convert("RGB")
    return {colour for _, colour in image.getcolors(maxcolors=2**24)}


def test_each_curve_has_its_colour():
    blue, vermilion, green, purple = (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)
    assert colours_of(ROWS["all"]) >= {blue, vermilion, green, purple}
    drawn = colours_of(ROWS["error only"])
    assert blue in drawn
    assert not drawn & {vermilion, green, purple}
    clients = {"client_error_mean": 0.2, "client_error_worst_tenth": 0.5}
    assert colours_of([row(1, **clients), row(9, **clients)]) >= {green, (0, 87, 63)}
    assert {blue, green} <= colours_of([row(1, testing_error_rate=0.3, trust_score_benign=0.1)])  # single points show


def test_the_title_is_drawn():
    assert drawn_curves(ROWS["one"], "one") != drawn_curves(ROWS["one"], "two")


def test_no_figure_stays_open():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()  # of whatever this process drew
    drawn_curves(ROWS["all"], "title")
    assert plt.get_fignums() == before
