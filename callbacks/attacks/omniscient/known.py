"""What is said before the first round where malicious clients know too little."""

from lightning.pytorch.utilities import rank_zero_warn

from flt.federation import Attack, Federation


def counts(federation: Federation) -> tuple[int, int]:
    """Clients of a round, and how many of them are malicious as a rule."""
    num_malicious = max(federation.malicious_per_round, 1) if federation.num_malicious else 0
    return federation.clients_per_round, num_malicious


def warn_of_one_known(attack: Attack, federation: Federation) -> None:
    """Warns where a round has one known update alone: it differs from no other, so that there is nothing to hide in."""
    num_clients, num_malicious = counts(federation)
    if num_malicious and (num_malicious if attack.knowledge == "partial" else num_clients - num_malicious) == 1:
        whose = "malicious" if attack.knowledge == "partial" else "benign"
        rank_zero_warn(
            f"{attack.label} sends the one {whose} update that it knows, with {num_malicious} malicious of"
            f" {num_clients} clients in a round and knowledge={attack.knowledge}: it hides between two or more"
        )
