"""Colours and looks: one meaning each, and to be told apart by everybody."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.colors import to_rgb

from flt.display import style
from flt.display.style import ATTACKS, NUMBERS, OTHERS, RULES, Look, looks_of

AXES = Path(__file__).parents[2] / "configs" / "axes"
MEASURED = [style.ERROR, style.VALIDATION, style.SUCCESS, style.BENIGN, style.MALICIOUS, style.WORST, style.ROOT]
PALETTES = {
    "measured": MEASURED[:5] + MEASURED[6:],
    "rules": [colour for colour, _ in RULES.values()],
    "attacks": [colour for colour, _ in ATTACKS.values()],
    "others": list(OTHERS),
}
# Machado, Oliveira and Fernandes 2009, at full strength, on linear RGB.
SEEN = {
    "by all": np.eye(3),
    "protan": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deutan": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "tritan": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9309, 0.1476], [0.0047, 0.6914, 0.3039]]),
}
TO_XYZ = np.array([[0.4339, 0.3762, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]])  # white is 1, 1, 1


def lab(colour: str, seen: np.ndarray) -> np.ndarray:
    """CIE L*a*b*."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(seen @ linear, 1e-3, 1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("seen", SEEN)
def test_colours_of_a_palette_are_told_apart(palette: str, seen: str) -> None:
    places = [lab(colour, SEEN[seen]) for colour in PALETTES[palette]]
    assert min(np.linalg.norm(first - second) for first, second in combinations(places, 2)) > 10


def test_no_colour_means_two_things() -> None:
    every = [colour.upper() for palette in PALETTES.values() for colour in palette] + [style.WORST, *NUMBERS]
    assert len({*every}) == len(every)


@pytest.mark.parametrize("name", ["all_rules", "all_attacks", "variants", "curves", "bucketing_variants"])
def test_every_line_has_a_look_of_its_own(name: str) -> None:
    (labels,) = yaml.safe_load((AXES / f"{name}.yaml").read_text()).values()
    looks = looks_of(labels)
    assert len({*looks.values()}) == len(labels) == len(looks)
    if name.startswith("all"):  # however many others are in a figure
        assert all(looks_of([label])[label] == look for label, look in looks.items())


@pytest.mark.parametrize(
    ("label", "same"),
    [("Trim-mean", "TrimmedMean"), ("Centred clipping", "CClip"), ("Krum", "Krum, no attack"), ("NNM + Krum", "NNM")],
)
def test_names_of_one_rule_look_alike(label: str, same: str) -> None:
    assert looks_of([label])[label] == looks_of([same])[same]


def test_others() -> None:
    """Compared by attack where the rule is one; in order where nothing is known; from dark to light for numbers."""
    looks = looks_of(["FLTrust, LF attack", "FLTrust, Trim attack"])
    assert list(looks.values()) == list(looks_of(["LF attack", "Trim attack"]).values())
    many = looks_of([f"line {number}" for number in range(300)])
    assert len({*many.values()}) == 300
    assert looks_of(["a", "Krum", "b"])["b"].colour == OTHERS[1]
    assert [look.colour for look in looks_of(["0.1", "0.2", "null"]).values()] == [NUMBERS[0], NUMBERS[2], NUMBERS[4]]
    assert looks_of(["Krum"])["Krum"] == Look("#CC6677", "s", "--")
