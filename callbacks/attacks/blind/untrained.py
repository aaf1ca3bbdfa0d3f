"""What comes beside the updates of malicious clients that do not train."""

from flt.federation import Round


def untrained(round: Round) -> Round:
    """The round with statistics of batch normalisation that malicious clients have not moved.

    In the simulator they train like everyone before an attack crafts what they send, and training moves statistics.
    """
    malicious = round.malicious.to(round.statistics.device)
    return round.replace(statistics=round.statistics.masked_fill(malicious[:, None], 0.0))
