"""Who takes part in a run, and which of the clients are malicious."""

from dataclasses import replace

import torch
from torch import Tensor

from flt.data.backdoor import Backdoor
from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError
from flt.federation.attack import Attack
from flt.federation.memory import NOTHING, Memory
from flt.federation.returned import check_backdoor
from flt.federation.round import Federation
from flt.federation.schedule import deal_out, shares
from flt.functional.layout import Piece


def form_federation(
    data: FederatedDataModule,
    attack: Attack | None,
    *,
    clients_per_round: int | None = None,
    num_byzantine: int | None = None,
    layout: tuple[Piece, ...] = (),
    server_lr: float = 1.0,
) -> Federation:
    """The federation of a run, before any callback has changed it.

    Args:
        data: The data, set up.
        attack: Who decides how many clients are malicious; None for nobody.
        clients_per_round: Clients that take part in a round; None for all.
        num_byzantine: Malicious clients that rules assume; None for as many as there are.
        layout: Where each parameter tensor lies in a flat update.
        server_lr: Factor of the aggregate in the global model's step.

    Raises:
        InputError: If there are fewer clients than ``clients_per_round``, no more than ``num_byzantine``, or no benign
            ones; or if clients were added, and malicious ones are to be drawn anew.
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
    members = attack.members if attack else ()
    added = data.num_added_clients
    fractions = [member.fraction for member in members]
    chosen = shares(added, fractions) if added else [round(fraction * num_clients) for fraction in fractions]
    if sum(chosen) >= num_clients and attack:
        raise InputError(f"attack.fraction={attack.fraction} leaves none of {num_clients} clients benign")
    if added and any(member.schedule.redraw for member in members):
        raise InputError(
            f"attack.redraw=True draws malicious clients among all, but data.num_added_clients={added} says who they"
            " are: leave one of them out"
        )
    groups = deal_out(
        [size if member.active else 0 for size, member in zip(chosen, members, strict=True)],
        [member.schedule for member in members],
        num_clients,
        seed=data.run_seed,
        order=torch.arange(num_clients - added, num_clients) if added else None,
    )
    groups = tuple(replace(group, has_momentum=member.momentum) for group, member in zip(groups, members, strict=True))
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    for group in groups:
        malicious = malicious | group.candidates
    # Rules assume those that there are; of an attack that nobody makes, those of its fraction, as in version 0.1.
    assumed = int(malicious.sum()) if added else sum(chosen)
    return Federation(
        clients=data.clients,
        num_examples=_known_sizes(data),
        malicious=malicious,
        num_byzantine=assumed if num_byzantine is None else num_byzantine,
        clients_per_round=clients_per_round or num_clients,
        num_classes=data.num_classes,
        seed=data.run_seed,
        backdoor=own_backdoor(data),
        root_size=len(data.root),
        layout=layout,
        groups=groups,
        server_lr=server_lr,
        num_added=added,
    )


def _known_sizes(data: FederatedDataModule) -> Tensor:
    """Examples of each client as the server knows them: added ones without data say that they have as many as others.

    Else `FedAvg` and the like, which weigh clients by their examples, would give these malicious clients no weight.
    """
    sizes, added = data.clients.sizes.cpu(), data.num_added_clients
    if added and data.added_data == "none":
        sizes[-added:] = data.mean_size
    return sizes


def own_backdoor(data: FederatedDataModule) -> Backdoor:
    """The data set's own trigger and target class, for attacks that bring none."""
    return Backdoor(data.trigger, data.target_class, shape=data.test.shape)


def backdoor_of(attack: Attack | None, data: FederatedDataModule, memory: Memory = NOTHING) -> Backdoor | None:
    """The backdoor whose success is measured; None if there is no attack, or one without a backdoor.

    Args:
        attack: The attack.
        data: The data, set up.
        memory: What the attack has kept.

    Raises:
        InputError: If it does not fit the data.
    """
    if attack is None:
        return None
    backdoor = attack.current_backdoor(own_backdoor(data), memory)
    check_backdoor(f"{type(attack).__name__}.backdoor", backdoor, data.test.features[:2], data.num_classes)
    if backdoor is None or backdoor.examples is not None:
        return backdoor
    return replace(backdoor, examples=backdoor.trigger.tested(data.test, backdoor.target_class))
