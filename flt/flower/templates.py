"""The files of an exported app, with $-words where configurations differ."""

from string import Template

PACKAGE = "flt_app"
"""The package of an exported app."""

PYPROJECT = Template("""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "1.0.0"
description = "$title"
dependencies = []  # not flt by name: a SuperLink would install what an index has under it; nodes have it already

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "flt"

[tool.flwr.app.components]
serverapp = "flt_app.server_app:app"
clientapp = "flt_app.client_app:app"

[tool.flwr.app.config]
num-server-rounds = $rounds
round-timeout = 3600.0  # seconds that the server waits for a client
""")

CONFIGURATION = '''"""The configuration that this app was exported from."""

from pathlib import Path

from flwr.app import Context


def arguments(context: Context) -> list[str]:
    """The arguments of `flt fit` that make the parts of this federation."""
    rounds = context.run_config["num-server-rounds"]
    return ["--config", str(Path(__file__).with_name("config.yaml")), f"--trainer.max_steps={rounds}"]
'''

SERVER = '''"""The server: the rule, its own training on the root dataset, evaluation, files of the run."""

from pathlib import Path

import torch
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from flt.flower import ConfiguredClients
from flt_app.configuration import arguments

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Runs the federation and keeps the last global model."""
    configured = ConfiguredClients(arguments(context), logs=True)
    result = configured.strategy().start(
        grid,
        configured.initial_arrays,
        num_rounds=int(context.run_config["num-server-rounds"]),
        timeout=float(context.run_config["round-timeout"]),
        evaluate_fn=configured.evaluate,
    )
    if result.arrays:
        torch.save(result.arrays.to_torch_state_dict(), Path(configured.folder) / "model.pt")
'''

CLIENT = Template('''"""The clients: each trains on its part of the data."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from flt.flower import $imports
from flt_app.configuration import arguments
$mod
app = ClientApp($mods)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Trains on the node's part of the data; put a training of your own in its place."""
    return ConfiguredClients.of(arguments(context)).train(message, context)
''')

MOD = '''

def attack(message, context, call_next):  # type: ignore[no-untyped-def]  # a mod of Flower
    """Makes those nodes malicious that the configuration says, to test the federation; without it all are honest."""
    mod = attack_mod(local=ConfiguredClients.of(arguments(context)))
    return mod(message, context, call_next)


'''

README = Template("""# $title

A [Flower](https://flower.ai) app that `flt export` made of a configuration of `flt`: the rule `$rule` on the server,
$clients clients, $rounds rounds. `flt_app/config.yaml` is the configuration; the settings of a run are in
`pyproject.toml`.

## On one machine

Every node needs the same `flt` with its extra `flower` (`pip install ".[flower]"` in a clone) and the data where the
configuration looks for them (`FLT_DATA`). In one terminal the SuperLink, in another the SuperNodes, each told which
client it is:

```bash
flower-superlink --insecure
for i in $$(seq 0 $last); do
  flower-supernode --insecure --superlink 127.0.0.1:8000 --host 127.0.0.1 --port $$((9200 + i)) \\
    --node-config "partition-id=$$i num-partitions=$clients" &
done
```

Then, with this in `$$FLWR_HOME/config.toml` (`~/.flwr/config.toml`), `flwr run . here --stream`:

```toml
[superlink.here]
address = "127.0.0.1:8000"
insecure = true
```

This is Flower 1.42, where all that a SuperLink offers is at port 8000. Earlier versions have SuperNodes connect to 9092
and `flwr run` to 9093, and call the port of a node `--clientappio-api-address 127.0.0.1:PORT`.

The server writes `metrics.csv`, `curves.png` and `model.pt` into the folder of runs that the configuration names,
below the folder where the SuperLink was started. Flower starts a process for every message: a round takes as long as
that process needs to import torch and read the data, however short the training.

## On many machines

**TLS.** The SuperLink gets a certificate, everyone else the authority that signed it; without `--insecure`:

```bash
flower-superlink --ssl-ca-certfile ca.crt --ssl-certfile server.pem --ssl-keyfile server.key
flower-supernode --superlink SERVER:8000 --root-certificates ca.crt \\
  --node-config "partition-id=0 num-partitions=$clients"
```

and `root-certificates = "/path/to/ca.crt"` in place of `insecure = true` in `config.toml`.

**Node authentication.** Without it anyone who reaches the SuperLink is a client, under as many names as it likes, and
no rule that tolerates f of n helps. With it a node proves a key that you have registered:

```bash
flower-superlink --enable-supernode-auth --ssl-ca-certfile ca.crt --ssl-certfile server.pem --ssl-keyfile server.key
ssh-keygen -t ecdsa -b 384 -N "" -f keys/node_0
flwr supernode register keys/node_0.pub here
flower-supernode --superlink SERVER:8000 --root-certificates ca.crt --auth-supernode-private-key keys/node_0 \\
  --auth-supernode-public-key keys/node_0.pub --node-config "partition-id=0 num-partitions=$clients"
```

**Data of your own.** A node of this app takes its part of the data set that the configuration names. In a federation
of real clients put your own training into `train` of `client_app.py`, and give `strategy()` in `server_app.py` the
argument `replies="weights"`: `train` then gets the model and replies with its weights after training, as for Flower's
FedAvg, in one record of arrays, and with the metrics `num-examples`, `train-loss` and `client`. (Here it replies with
by how much they have changed, which no rounding touches.) The root dataset stays on the server.

$attack
## What this app does not have

$left_out
""")

ATTACKED = """**The attack.** `$attack` is part of this app: the mod in `client_app.py` makes those nodes malicious that
the configuration says. Take it out for a federation that is no test.
"""
