"""What colours, markers and dashes mean, in every figure and report alike; nothing here needs matplotlib.

No colour stands for two things. What is measured has its own (Okabe and Ito), rules and attacks have a colour for each
family, and its members differ by marker and dash (Tol's muted and bright palettes); whatever else is compared takes
Tol's vibrant palette, as do the members of a family that has a figure to itself, and numbers go from dark to light.
Each palette can be told apart by the colour-blind.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

ERROR, VALIDATION, SUCCESS = "#0072B2", "#56B4E9", "#D55E00"
BENIGN, MALICIOUS, WORST, ROOT = "#009E73", "#CC79A7", "#00573F", "#E69F00"
"""Clients that are benign or malicious, the worst tenth of the benign ones, and the server's root dataset."""

RULES = {
    "means": ("#332288", "fedavg=avg=mean"),
    "selection": ("#CC6677", "krum multikrum bulyan mda smea caf dnc monna gas"),
    "trimming": ("#44AA99", "trimmean=trimmedmean meamed foundationfl lasa"),
    "medians": ("#882255", "median=cm geometricmedian rfa signsgd rlr"),
    "bounds": ("#DDCC77", "normclipping centredclipping=centeredclipping=cclip normboundedmean crfl"),
    "detection": ("#88CCEE", "flame afa foolsgold signguard clippedclustering fldetector"),
    "root dataset": (
        "#117733",
        "fltrust fltg aflguard flod diversefl zeno zenoplusplus err lfr union=errandlfr fedgreed sageflow"
        " hierarchicalfltrust=foggytrust",
    ),
    "before a rule": ("#AA4499", "nnm bucketing clipping arc"),
}
"""Families of rules: their colour, and their members as `_plain` has them; = joins two names of one."""

NOBODY = "#000000"

ATTACKS = {
    "nobody": (NOBODY, "noattack"),
    "labels": ("#EE6677", "lfattack=labelflipping=lf labelflippingdynamic"),
    "blind": (
        "#66CCEE",
        "signflip gaussiannoise signflipofthemean uniformnoise zeroupdate freerider notanumber=nonfinite sybilnoise"
        " mpaf poisonedfl",
    ),
    "statistics": ("#CCBB44", "trimattack=trim alie ipm mimic minmax minsum byzmean rop trapsetter pga"),
    "rules": (
        "#4477AA",
        "krumattack tailoredattack optimisedalie=optimizedalie optimisedipm=optimizedipm cosineattack",
    ),
    "adaptive": ("#228833", "adaptiveattack adaptiveexact=exactoptimum thepaperssolver"),
    "backdoors": (
        "#AA3377",
        "scalingattack modelreplacement dba=distributedbackdoor edgecase=edgecases projectedbackdoor neurotoxin"
        " criticallayers a3fl chameleon",
    ),
}
"""Families of attacks, by what they use; as `RULES`."""

CROWD = 3
"""More members of a family than these are not told apart by marker and dash alone."""

OTHERS = ("#0077BB", "#EE7733", "#009988", "#CC3311", "#33BBEE", "#EE3377", "#BBBBBB")
"""Colours of lines that no family's colour tells apart, in their order."""

NUMBERS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8d219")
"""From the lowest number to the highest."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "d", "+", "1")
DASHES = ("-", "--", "-.", ":")

MEASURES = {
    "testing_error_rate": ERROR,
    "attack_success_rate": SUCCESS,
    "validation_error_rate": VALIDATION,
    "validation_attack_success_rate": SUCCESS,
    "client_error_mean": BENIGN,
    "client_error_worst_tenth": WORST,
    **{f"{metric}_benign": BENIGN for metric in ("trust_score", "weight", "kept")},
    **{f"{metric}_malicious": MALICIOUS for metric in ("trust_score", "weight", "kept")},
    "root_update_norm": ROOT,
    "guaranteed_progress": BENIGN,
    "leverage": MALICIOUS,
    "progress_taken": BENIGN,
    "leverage_used": MALICIOUS,
    "kappa": ERROR,
    "kappa_bound": WORST,
}
"""Colours of metrics where each is drawn by itself."""


class Look(NamedTuple):
    """How a line is drawn: colour, and marker and dash as matplotlib calls them."""

    colour: str
    marker: str
    dash: str


def looks_of(labels: Collection[str]) -> dict[str, Look]:
    """How lines with these labels are drawn: rules and attacks as everywhere, others in order, each in its own way.

    Example:
        >>> looks_of(["FedAvg", "Trim-mean", "my rule"])["Trim-mean"]
        Look(colour='#44AA99', marker='^', dash='-.')
        >>> looks_of(["TrimmedMean, no attack", "NNM + Krum"])["TrimmedMean, no attack"].colour
        '#44AA99'
        >>> [look.colour for look in looks_of(["FLTrust", "FLTrust, root 400"]).values()]
        ['#117733', '#0077BB']
        >>> [look.colour for look in looks_of(["No attack", "DBA", "Neurotoxin", "Chameleon", "A3FL"]).values()]
        ['#000000', '#0077BB', '#EE7733', '#009988', '#CC3311']
    """
    given = list(dict.fromkeys(labels))
    if are_numbers(given):
        colours = [_between(place / max(1, len(given) - 1)) for place in range(len(given))]
        return dict(zip(given, _in_turn(colours), strict=True))
    known = max((_known(given, family) for family in (_RULES, _ATTACKS)), key=lambda found: len({*found.values()}))
    if len({*known.values()}) == 1:  # one thing in several ways: only the first of them has its look
        known = dict([*known.items()][:1])
    colours = [look.colour for look in known.values() if look.colour != NOBODY]
    if len(colours) > CROWD and len({*colours}) == 1:
        known = {label: look for label, look in known.items() if look.colour == NOBODY}
    free, looks = iter(_in_turn(OTHERS * -(-len(given) // len(OTHERS)))), dict[str, Look]()
    for label in given:
        look, taken = known.get(label) or next(free), {*looks.values()}
        others = (other for other in _alike(look) if other not in taken and other not in known.values())
        looks[label] = next(others, look) if look in taken else look
    return looks


def are_numbers(labels: Collection[str]) -> bool:
    """Whether labels lie in an order: several are numbers, and at most one, such as 1/M or null, is a word.

    Example:
        >>> are_numbers(["1/M", "0.2", "0.4"]), are_numbers(["50"]), are_numbers(["LF", "Trim"])
        (True, False, False)
    """
    numbers = sum(bool(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", label)) for label in labels)
    return numbers > 1 and numbers >= len(labels) - 1


def _known(labels: Sequence[str], looks: Mapping[str, Look]) -> dict[str, Look]:
    """The looks of those labels that name, or begin with, something known."""
    found = dict[str, Look]()
    for label in labels:
        parts = [_plain(part) for part in (label, *re.split("[,+(]", label))]
        known = next((part for part in parts if part in looks), None)
        if known is not None:
            found[label] = looks[known]
    return found


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]+", "", name.lower())


def _in_turn(colours: Sequence[str], first: int = 0) -> list[Look]:
    """Looks of these colours, each with the next marker and dash."""
    return [
        Look(colour, MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])
        for place, colour in enumerate(colours, first)
    ]


def _family_looks(families: Mapping[str, tuple[str, str]]) -> dict[str, Look]:
    """The look of each name; families begin with different markers, as their first members are often compared."""
    return {
        name: look
        for first, (colour, members) in enumerate(families.values())
        for names, look in zip(members.split(), _in_turn([colour] * len(MARKERS), first), strict=False)
        for name in names.split("=")
    }


_RULES, _ATTACKS = _family_looks(RULES), _family_looks(ATTACKS)


def _alike(look: Look) -> Iterable[Look]:
    """All looks of its colour."""
    return (Look(look.colour, marker, dash) for marker, dash in product(MARKERS, DASHES))


def _between(share: float) -> str:
    """The colour at a place from 0 to 1 of the scale of numbers."""
    place = share * (len(NUMBERS) - 1)
    low = min(int(place), len(NUMBERS) - 2)
    ends = [[int(colour[digit : digit + 2], 16) for digit in (1, 3, 5)] for colour in NUMBERS[low : low + 2]]
    mixed = [round(first + (place - low) * (second - first)) for first, second in zip(*ends, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in mixed)
