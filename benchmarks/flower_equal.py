"""Whether a Flower federation in one process ends with the parameters of `flt fit`, under every rule.

    python benchmarks/flower_equal.py

20 rounds of HAR, 30 clients of which a fifth make the Scaling attack by a client mod; prints the largest difference of
a parameter.
"""

import argparse
import logging
import os
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

import tiny
import torch
from catalogue import RULES
from flower_grid import LocalGrid
from flwr.app import Context, Message

from callbacks import ScalingAttack
from flt.cli.training import Run
from flt.data import HAR
from flt.flower import ConfiguredClients, attack_mod
from flt.models import LogisticRegression


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("rules", nargs="*", help="names of rules; all without any")
    options = parser.parse_args()
    os.environ.setdefault("PL_GLOBAL_SEED", "0")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("flwr").setLevel(logging.ERROR)
    settings, far = {"client_lr": 0.003, "local_steps": 1}, 0.0
    for rule in RULES:
        if options.rules and rule.name not in options.rules:
            continue
        with tempfile.TemporaryDirectory() as name:
            fit = partial(tiny.fit, Path(name), rounds=options.rounds, data=HAR(), network=LogisticRegression())
            simulated = fit(rule.make(), ScalingAttack(), **settings)
            trainer = tiny.trainer(Path(name), rule.make(), ScalingAttack(), rounds=options.rounds)
            module = tiny.module(LogisticRegression(), **settings)
            clients = ConfiguredClients(Run("fit", module, HAR(), trainer, {}))
            mod = attack_mod(local=clients)

            def node(message: Message, context: Context, mod=mod, clients=clients) -> Message:
                return mod(message, context, clients.train)

            grid = LocalGrid([node] * module.federation.num_clients)
            result = clients.strategy().start(grid, clients.initial_arrays, num_rounds=options.rounds)
            clients.load(result.arrays)
        difference = float((tiny.parameters_of(simulated) - tiny.parameters_of(module)).abs().max())
        far = max(far, difference)
        print(f"{rule.name:40}{difference:.2e}", flush=True)
    print(f"{'largest':40}{far:.2e}")


if __name__ == "__main__":
    main()
