"""What Flower's result keeps of a round."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flwr.app import MetricRecord

from flt.federation import Aggregate, Round
from flt.flower.replies import Readings, kind_of


def metrics_of(round: Round, aggregate: Aggregate, readings: Readings) -> MetricRecord:
    """Counts, the aggregate's length, and lists with what the rule says of each client that was heard.

    Args:
        round: The round as the rule saw it.
        aggregate: What the rule made of it.
        readings: What was dropped.
    """
    numbers: dict[str, Any] = {
        "num-clients": len(round),
        "num-dropped": round.num_dropped,
        "update-norm": float(aggregate.update.double().norm()),
        **{f"dropped/{kind}": n for kind, n in Counter(kind_of(why) for _, why in readings.dropped).items()},
    }
    if len(round):
        numbers["clients"] = round.client_ids.tolist()
        vectors = aggregate.judgement.vectors.items()
        numbers |= {name.replace("_", "-"): values.double().tolist() for name, values in vectors}
    return MetricRecord(numbers)
