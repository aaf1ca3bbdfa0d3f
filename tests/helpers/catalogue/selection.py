"""Rules that choose some of the updates, by distances or spectrum."""

from functools import partial

import agreement
import torch
from reference import median
from reference import selection as reference
from torch import Tensor

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

FIRST_SIX = (1.2, 1.216667)  # the mean of the benign clients of `EXAMPLE`


def _chunks(updates: Tensor, num_chunks: int) -> Tensor:
    return torch.arange(updates.shape[1]) % min(num_chunks, updates.shape[1])


RULES = [
    Rule(
        "MultiKrum",
        callbacks.MultiKrum,
        lambda u, root, sizes, f, **s: F.multi_krum(u, num_byzantine=f, **s),
        lambda u, root, sizes, f, **s: reference.mean(u, reference.multi_krum(u, f, **s)),
        [
            Golden(FIRST_SIX),
            Golden((1.275, 1.0), {"num_selected": 4}),
            Golden((1.05, 1.25), {"num_selected": 4, "num_neighbours": 5}),
            Golden((1.366667, 1.3), {"iterative": True}),
        ],
        fewest=lambda f: f + 3,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.multi_krum(u, f),
        translates=True,
        averages=True,
    ),
    Rule(
        "MeaMed",
        callbacks.MeaMed,
        lambda u, root, sizes, f: F.meamed(u, num_byzantine=f),
        lambda u, root, sizes, f: reference.meamed(u, f),
        [Golden(FIRST_SIX)],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        translates=True,
        averages=True,
    ),
    Rule(
        "Bulyan",
        partial(callbacks.Bulyan, num_byzantine=1),  # more need eleven clients
        lambda u, root, sizes, f: F.bulyan(u, num_byzantine=f),
        lambda u, root, sizes, f: reference.bulyan(u, f),
        [Golden((1.0, 0.666667))],
        fewest=lambda f: 4 * f + 3,
        compare=agreement.bounded,
        statistics=lambda u, statistics, f: reference.bulyan(u, f, statistics),
        translates=True,
        averages=True,
        anonymous=False,  # among the last few updates, judged by one neighbour, the two nearest are as good
    ),
    Rule(
        "MoNNA(FLTrust-Server)",
        callbacks.MoNNA,
        lambda u, root, sizes, f: F.monna(u, root, num_byzantine=f),
        lambda u, root, sizes, f: reference.mean(u, reference.monna(u, root, f)),
        [Golden(FIRST_SIX)],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.monna(u, root, f),
        translates=True,
        averages=True,
    ),
    Rule(
        "DnC",
        callbacks.DnC,
        lambda u, root, sizes, f, **s: F.dnc(u, num_byzantine=f, **s),
        lambda u, root, sizes, f, **s: reference.mean(u, reference.dnc(u, f, **s)),
        [Golden(FIRST_SIX), Golden((1.28, 1.06), {"filter_fraction": 2.0})],
        fewest=lambda f: f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.dnc(u, f),
        translates=True,
        averages=True,
    ),
    Rule(
        "CAF",
        callbacks.CAF,
        lambda u, root, sizes, f, **s: F.caf(u, num_byzantine=f, **s),
        lambda u, root, sizes, f, **s: reference.mean(u, reference.caf(u, f, **s)),
        [Golden((1.191989, 1.193220)), Golden((1.206230, 1.207626), {"compare_dropped": False})],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.caf(u, f),
        translates=True,
        averages=True,
    ),
    # A chunk for each coordinate, as there are if there are few; in tests of this file's rules there are others.
    Rule(
        "GAS(Median)",
        callbacks.GAS,
        lambda u, root, sizes, f, num_chunks=1000: F.gas(u, F.median, num_byzantine=f, chunk_of=_chunks(u, num_chunks)),
        lambda u, root, sizes, f, num_chunks=1000: reference.mean(
            u, reference.gas(u, median, f, _chunks(u, num_chunks).tolist())
        ),
        [Golden(FIRST_SIX), Golden(FIRST_SIX, {"num_chunks": 2})],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.gas(u, median, f, range(u.shape[1])),
        translates=True,
        averages=True,
    ),
    Rule(
        "FoundationFL(Median)",
        callbacks.FoundationFL,
        lambda u, root, sizes, f: F.median(F.foundation(u, num_synthetic=2).to(u) @ u),
        lambda u, root, sizes, f: median(reference.foundation(u, 2) @ u),
        [Golden((1.0, 1.1))],
        compare=agreement.bounded,
        statistics=lambda u, statistics, f: median(reference.foundation(u, 2) @ statistics),
        translates=True,
    ),
    Rule(
        "MDA",
        callbacks.MDA,
        lambda u, root, sizes, f: F.mda(u, num_byzantine=f),
        lambda u, root, sizes, f: reference.mean(u, reference.mda(u, f)),
        [Golden(FIRST_SIX)],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.mda(u, f),
        translates=True,
        averages=True,
    ),
    Rule(
        "SMEA",
        callbacks.SMEA,
        lambda u, root, sizes, f: F.smea(u, num_byzantine=f),
        lambda u, root, sizes, f: reference.mean(u, reference.smea(u, f)),
        [Golden(FIRST_SIX)],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.smea(u, f),
        translates=True,
        averages=True,
    ),
]
