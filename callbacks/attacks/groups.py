"""Several attacks at once, each by malicious clients of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from flt.data.triggers import Trigger
from flt.errors import InputError
from flt.federation import Aggregate, Attack, Backdoor, Federation, LocalUpdates, LocalWork, Memory, Round
from flt.federation.memory import NOTHING
from flt.federation.returned import check_asked, check_trained
from flt.random import generator

BY_ATTACKER = ("updates", "statistics", "num_examples", "losses")
"""What a member may change of a round, a row for each client."""


class AttackGroups(Attack):
    """Several attacks at once: the malicious clients are dealt out to them in groups of which no client is in two.

    Each attack has a fraction, a knowledge and a schedule of its own. It sees the benign clients' updates and those of
    its own group, and keeps a memory of its own. Asked by one of them, the rule is given the honest updates of the
    other groups. Where an attack counts the clients of a round or their examples, it counts those of all groups; of
    what other groups send it knows nothing, and ByzMean and Trapsetter, which aim at the mean of all, take it for the
    mean of the benign updates. The groups are consecutive in the order in which malicious clients are drawn, so the
    first one's are those that it would have alone.

    Args:
        attacks: The attacks; the fractions of all of them together are less than 1.

    Raises:
        InputError: If there is none, or the fractions add up to 1 or more; before the first round, if two of them have
            different backdoors, or one learns a trigger and another one has a backdoor.
    """

    def __init__(self, attacks: list[Attack]) -> None:
        if not attacks or not all(isinstance(each, Attack) for each in attacks):
            raise InputError(f"attack.attacks={attacks!r}: give a list of one attack or more")
        self.attacks = attacks
        fractions = [member.fraction for member in self.members]
        if sum(fractions) >= 1.0:
            each = " + ".join(f"{fraction:g}" for fraction in fractions)
            raise InputError(f"attack.attacks: their fractions {each} add up to 1 or more: leave some clients benign")
        super().__init__(sum(fractions))
        self.active = any(member.active for member in self.members)
        self.needs_root_update = any(member.needs_root_update for member in self.members)
        self.needs_root_data = any(member.needs_root_data for member in self.members)

    @property
    def members(self) -> tuple[Attack, ...]:
        """The attacks, also those within an `AttackGroups` among them."""
        return tuple(member for attack in self.attacks for member in attack.members)

    @property
    def label(self) -> str:
        """Their names."""
        return f"{type(self).__name__}({', '.join(member.label for member in self.members)})"

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """What all of them keep."""
        pairs = zip(self.members, _seen(federation), strict=True)
        return sum(member.numbers_kept(seen, num_params) for member, seen in pairs)

    def backdoor(self, default: Backdoor) -> Backdoor | None:
        """The backdoor of the one that has one; of several, the one that they share."""
        return self._only([member.backdoor(default) for member in self.members])

    def current_backdoor(self, default: Backdoor, memory: Memory) -> Backdoor | None:
        """The same, where one of them learns a trigger."""
        pairs = zip(self.members, _memories(memory, len(self.members)), strict=True)
        return self._only([member.current_backdoor(default, kept) for member, kept in pairs])

    def _only(self, backdoors: Sequence[Backdoor | None]) -> Backdoor | None:
        """The one of the members' backdoors; None if there is none."""
        found = [(member, each) for member, each in zip(self.members, backdoors, strict=True) if each is not None]
        names = " and ".join(member.label for member, _ in found)
        learner = next((member.label for member, _ in found if member.overrides("current_backdoor")), None)
        if learner is not None and len(found) > 1:
            raise InputError(
                f"attack.attacks: {names} have backdoors, and the success of one is measured, but {learner} learns a"
                " trigger that is no other's: keep one of them"
            )
        if any(_measured(each) != _measured(found[0][1]) for _, each in found):
            raise InputError(
                f"attack.attacks: {names} have different backdoors, and the success of one is measured: keep one of"
                " them, or give all of them one trigger and target_class"
            )
        return found[0][1] if found else None

    def on_federation(self, federation: Federation) -> Federation | None:
        """Lets one attack after the other check its settings and poison the local data of its group."""
        clients, groups = federation.clients, []
        for member, seen in zip(self.members, _seen(federation), strict=True):
            (group,), redraws = seen.groups, member.schedule.redraw
            # Who is drawn anew may be in another group in another round, and so has data of its own for each.
            found = member.on_federation(seen if redraws else seen.replace(clients=clients))
            if found is not None and redraws:
                group = replace(group, clients=found.clients)
            elif found is not None:
                clients = found.clients
            groups.append(group)
        if clients is federation.clients and all(group.clients is None for group in groups):
            return None
        return federation.replace(clients=clients, honest=federation.clients, groups=tuple(groups))

    def prepare(self, local: LocalWork) -> Memory | None:
        """Lets each attack prepare the round."""
        kept = {}
        for number, (member, _, work) in enumerate(self._works(local)):
            found = member.prepare(work) if member.overrides("prepare") else None
            if found is not None:
                kept[str(number)] = found
        return {**local.memory, **kept} if kept else None

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Lets the clients of each group train in the way of its attack."""
        trained = local.trained
        for member, own, work in self._works(local):
            found = member.train(work) if len(work.client_ids) and member.overrides("train") else None
            if found is not None:
                found = check_trained(f"{type(member).__name__}.train", found, work.trained, number=local.number)
                rows = own.nonzero().flatten().to(trained.updates.device)
                trained = LocalUpdates(
                    *(each.index_copy(0, rows, new) for each, new in zip(trained, found, strict=True))
                )
        return trained

    def _works(self, local: LocalWork) -> Iterator[tuple[Attack, Tensor, LocalWork]]:
        """Each attack, which of the clients are its own, and their work."""
        federations = _seen(local.federation)
        memories = _memories(local.memory, len(federations))
        for member, federation, memory in zip(self.members, federations, memories, strict=True):
            (group,) = federation.groups
            own = group.attackers(local.number)[local.client_ids]
            yield member, own, local.of(own, memory, federation)

    def craft(self, round: Round) -> Round | None:
        """Lets each attack craft the updates of its group."""
        groups = [group.attackers(round.number)[round.client_ids] for group in round.federation.groups]
        benign = ~torch.stack(groups).any(dim=0)
        changed: dict[str, Any] = {}
        memory: dict[str, Any] = {}
        views = zip(self.members, groups, _seen(round.federation), _memories(round.memory, len(groups)), strict=True)
        for number, (member, own, federation, before) in enumerate(views):
            if not member.overrides("craft") and not member.overrides("on_client_updates"):
                continue
            shown = own | benign
            given = _restricted(round, shown).replace(federation=federation, malicious=own[shown], memory=before)
            found = member.on_client_updates(given) or given
            if found.memory is not before:
                memory[str(number)] = found.memory
            for name in BY_ATTACKER:
                rows, was = getattr(found, name), changed.get(name, getattr(round, name))
                if rows is not getattr(given, name):
                    changed[name] = was.index_copy(0, shown.nonzero().flatten().to(was.device), rows)
        if memory:
            changed["memory"] = {**round.memory, **memory}
        return round.replace(**changed) if changed else None

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Tells each attack."""
        for member in self.members:
            member.on_round_end(trainer, round, aggregate)


def _measured(backdoor: Backdoor) -> tuple[Trigger, int, int]:
    """What the success of a backdoor is measured by; which parts of the trigger are trained makes no difference."""
    return backdoor.trigger, backdoor.target_class, id(backdoor.examples)


def _seen(federation: Federation) -> list[Federation]:
    """The federation as each group's attack sees it: with its own malicious clients alone, and its own random draws."""
    return [
        federation.replace(
            malicious=group.candidates,
            groups=(group,),
            clients=federation.clients if group.clients is None else group.clients,
            seed=_seed_of(federation.seed, number),
        )
        for number, group in enumerate(federation.groups)
    ]


def _memories(memory: Memory, num_groups: int) -> list[Memory]:
    """The memory of each group's attack, of what they keep together."""
    return [memory.get(str(number), NOTHING) for number in range(num_groups)]


@lru_cache
def _seed_of(seed: int, number: int) -> int:
    """The seed of a group's attack: the run's for the first group, so that two attacks of a kind draw by themselves."""
    if not number:
        return seed
    return int(torch.randint(2**62, (), generator=generator(seed, "attack group", number)))


def _restricted(round: Round, shown: Tensor) -> Round:
    """A round with some of its clients alone, whose rule is still asked with all of them.

    Args:
        round: The round.
        shown: Which clients, boolean of shape ``[num_clients]``.
    """
    given = round.keep(shown)
    rows = shown.nonzero().flatten().to(round.device)

    def asked(updates: Tensor) -> Tensor:
        check_asked(updates, given)
        return round.rule(round.updates.index_copy(0, rows, updates))

    return given.replace(num_dropped=round.num_dropped, rule=asked, unseen=round.num_examples[~shown])
