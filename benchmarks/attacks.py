"""What each attack on the updates costs beside a round of MNIST.

    python benchmarks/attacks.py

Times what each attack of the tests' table crafts of the updates of 100 clients of the CNN's 139,960 parameters, 20 of
them malicious, and a round of configs/mnist_fltrust.yaml in the same run. One with a memory is timed in its second
round. Attacks that ask the rule get the answers that the server would give: of Krum, FLTrust and the median. The
clients of the adaptive attack start at more than 90 degrees to the root update and stay there; a line of its own has
them walk.
"""

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from beside_a_round import example, parser, time_beside_a_round
from measure import save
from torch import Tensor

import callbacks
from flt.federation import Aggregation, Attack, Round
from flt.functional import trim_attack
from flt.functional.rows import OfRows
from flt.server.processes import Processes
from flt.server.reception import Reception

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from catalogue import ATTACKS
from hostile import Case, Cohort, federation_of, round_of

AIM, AIMS = 0.20, {"OptimizedALIE(Krum)": 1.0}  # shares of a round
ASKED = (callbacks.Krum, callbacks.FLTrust, callbacks.Median)


def main() -> None:
    options = parser(__doc__).parse_args()
    found = cases(options.clients, options.malicious, options.parameters)
    slow = {name for name in found if name.startswith("AdaptiveAttack") or " " in name}
    asking = {name for name in found if name.endswith(tuple(f"({rule.__name__})" for rule in ASKED))}
    aims = dict.fromkeys(found.keys() - slow - asking, AIM) | AIMS
    save(options.out, "attacks", time_beside_a_round(options, found, aims))


def cases(num_clients: int, num_malicious: int, num_params: int) -> dict[str, Callable[[], object]]:
    """Every attack that changes updates as a call, by its class and, where a class has several rows, the row's name."""
    updates, root_update = example(num_clients, num_params)
    malicious = torch.arange(num_clients) < num_malicious
    federation = federation_of(num_examples=torch.full((num_clients,), 600), malicious=malicious)
    round = round_of(federation, updates, root_update)
    found: dict[str, Callable[[], object]] = {}
    for row in ATTACKS:
        made = callbacks.AdaptiveAttack() if row.name == "Adaptive" else row.make()  # the table's takes few steps
        kind = type(made).__name__
        if not row.changes_updates:
            continue
        if row.rule is not None:
            asked = {f"{kind}({rule.__name__})": partial(craft, made, asking(rule(), round)) for rule in ASKED}
            found |= {name: call for name, call in asked.items() if name not in found}
        else:
            found[f"{kind}({row.name})" if kind in found else kind] = partial(craft, made, second(made, round))
    walking = round.replace(root_update=within_reach(updates, malicious))
    found["AdaptiveAttack that walks"] = partial(craft, callbacks.AdaptiveAttack(), walking)
    return found


def second(attack: Attack, round: Round) -> Round:
    """The round after one in which an attack has seen the same updates, with what it remembers."""
    crafted = craft(attack, round)
    memory = crafted.memory if isinstance(crafted, Round) else round.memory
    return round.replace(memory=memory, number=1, parameters=round.parameters + round.updates[0])


def asking(rule: Aggregation, round: Round) -> Round:
    """The round as the server hands it to an attack, with its rule."""
    reception = Reception(Cohort(Case(round, len(round))), rule, [rule], Processes())
    return round.replace(rule=OfRows(partial(reception.hearing.asked, round), reception.hearing.shape))


def craft(attack: Attack, round: Round) -> object:
    """What an attack crafts, whatever it has to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return attack.craft(round)


def within_reach(updates: Tensor, malicious: Tensor) -> Tensor:
    """A root update at less than 90 degrees to a benign client and to where the adaptive attack starts."""
    start = trim_attack(updates, malicious, generator=torch.Generator().manual_seed(1))[0]
    return updates[-1] / updates[-1].norm() + start / start.norm()


if __name__ == "__main__":
    main()
