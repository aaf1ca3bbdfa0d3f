"""Who takes part in a run, and which of the clients are malicious."""

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation.attack import Attack
from flt.federation.returned import check_backdoor
from flt.federation.round import Backdoor, Federation
from flt.functional.layout import Piece
from flt.random import sample_malicious


def form_federation(
    data: FederatedDataModule,
    attack: Attack | None,
    *,
    clients_per_round: int | None = None,
    num_byzantine: int | None = None,
    layout: tuple[Piece, ...] = (),
) -> Federation:
    """The federation of a run, before any callback has changed it.

    Args:
        data: The data, set up.
        attack: Who decides how many clients are malicious; None for nobody.
        clients_per_round: Clients that take part in a round; None for all.
        num_byzantine: Malicious clients that rules assume; None for as many as there are.
        layout: Where each parameter tensor lies in a flat update.

    Raises:
        InputError: If there are fewer clients than ``clients_per_round``, no more than ``num_byzantine``, or no benign
            ones.
    """
    num_clients = data.num_clients
    if attack is not None and not hasattr(attack, "fraction"):
        name = type(attack).__name__
        raise InputError(
            f"{name} has no fraction of malicious clients: let {name}.__init__ call super().__init__(fraction)"
        )
    if clients_per_round is not None and clients_per_round > num_clients:
        raise InputError(f"model.clients_per_round={clients_per_round} exceeds the {num_clients} clients of the data")
    if num_byzantine is not None and not 0 <= num_byzantine < num_clients:
        raise InputError(
            f"model.num_byzantine={num_byzantine} must be 0 or more and less than the {num_clients} clients"
        )
    num_chosen = round(attack.fraction * num_clients) if attack else 0
    if num_chosen == num_clients and attack:
        raise InputError(f"attack.fraction={attack.fraction} leaves none of {num_clients} clients benign")
    num_malicious = num_chosen if attack and attack.active else 0
    return Federation(
        clients=data.clients,
        num_examples=data.clients.sizes.cpu(),
        malicious=sample_malicious(num_clients, num_malicious, seed=data.seed),
        num_byzantine=num_chosen if num_byzantine is None else num_byzantine,
        clients_per_round=clients_per_round or num_clients,
        num_classes=data.num_classes,
        seed=data.seed,
        backdoor=Backdoor(data.trigger, data.target_class),
        root_size=len(data.root),
        layout=layout,
    )


def backdoor_of(attack: Attack | None, data: FederatedDataModule) -> Backdoor | None:
    """The backdoor whose success is measured; None if there is no attack, or one without a backdoor.

    Raises:
        InputError: If it does not fit the data.
    """
    if attack is None:
        return None
    backdoor = attack.backdoor(Backdoor(data.trigger, data.target_class))
    check_backdoor(f"{type(attack).__name__}.backdoor", backdoor, data.test.features[:2], data.num_classes)
    return backdoor
