"""Makes settings.md from the classes themselves: python docs/make_settings.py > docs/settings.md."""

import inspect
import re
from typing import Any

import docstring_parser
import torch

import callbacks
from flt import data as data_sets
from flt import models
from flt.data import FederatedDataModule
from flt.data import inputs as input_pipelines
from flt.display.figure_style import FigureStyle
from flt.federation import Aggregation, Attack
from flt.grid import Grid, Local, Ray, Slurm
from flt.grid.certifying import certify_parser
from flt.grid.plan.findings import Breaks, Compare, Select
from flt.grid.plan.grid import Reference
from flt.grid.plan.outline import Figure
from flt.module import FederatedModule

HEAD = """# Settings

Every setting with its default and what it means, as `flt fit --help.all` and `flt table --help` have them; made from
the classes by `python docs/make_settings.py`. On the command line a setting is `--model.client_lr 0.01`, in a file

```yaml
model:
  client_lr: 0.01
```

`null` is YAML's word for nothing. Data set, rule, attack and network are classes: `--attack TrimAttack` chooses one by
its name, or by the import path of your own, and `--attack.fraction 0.4` sets what it takes. `trainer` is Lightning's
[Trainer](https://lightning.ai/docs/pytorch/stable/common/trainer.html); a round is one of its steps:

| setting | meaning |
|---|---|
| `trainer.max_steps` | rounds |
| `trainer.val_check_interval` | rounds between evaluations on the test set |
| `trainer.log_every_n_steps` | rounds between rows of `metrics.csv` |
| `trainer.accelerator`, `devices`, `strategy`, `num_nodes` | where it runs; several devices share the clients out |
| `trainer.precision` | `32-true`, or `bf16-mixed` for local training |
| `trainer.deterministic` | `true` lets nothing depend on measured speed |
| `trainer.logger` | where metrics go, see `configs/logger` |
| `trainer.callbacks` | further callbacks, see [extending](extending.md) |
| `seed_everything` | decides the split, the root dataset, who is malicious and every batch |
"""

Parameters = dict[str, inspect.Parameter]


def main() -> None:
    print(HEAD)
    print("## `model`\n")
    table("model", FederatedModule)
    print("### `model.network`\n")
    for network in classes(models, lambda kind: issubclass(kind, torch.nn.Module)):
        section(network, "model.network")
    print("## `data`\n")
    print("All data sets have these. HAR, whose clients are its users, has none of those that deal out; `Arrays` and")
    print(
        "`ImageFolder`, which read what you name, have neither `data_dir` nor `stand_in`. Below stands what else a data"
    )
    print("set has, and where its default is another.\n")
    known = table("data", FederatedDataModule)
    for kind in classes(data_sets, lambda kind: issubclass(kind, FederatedDataModule)):
        section(kind, "data", known)
    for title, base, key in (
        ("`data.partition`", data_sets.Partition, "data.partition"),
        ("`data.inputs`", input_pipelines.InputPipeline, "data.inputs"),
    ):
        print(f"### {title}\n")
        for kind in [base, *base.__subclasses__()]:
            if not inspect.isabstract(kind):
                section(kind, key)
    print("## `aggregation`\n")
    for kind in classes(callbacks, lambda kind: issubclass(kind, Aggregation)):
        section(kind, "aggregation")
    print("## `attack`\n")
    print("All attacks have these, but for `NoAttack`. Below stands what else an attack has.\n")
    known = table("attack", Attack)
    for kind in classes(callbacks, lambda kind: issubclass(kind, Attack)):
        section(kind, "attack", known)
    print("### `attack.trigger`\n")
    for kind in classes(data_sets, lambda kind: issubclass(kind, data_sets.Trigger)):
        section(kind, "attack.trigger")
    print("## `trainer.callbacks`\n")
    print(
        "`--trainer.callbacks+=ClientErrors` adds one. A run has the others anyway; naming one changes its settings.\n"
    )
    for kind in (callbacks.EvaluationMetrics, callbacks.Certificates, callbacks.ClientErrors, callbacks.RunReport):
        section(kind, "trainer.callbacks")
    print("## `flt table`\n")
    print("`--out` is the folder of the results, `--jobs` the number of runs at a time, `--launcher` one of `local`,")
    print(
        "`ray` and `slurm`. `style` is how figures look, here and, but for `formats`, in `flt plot` and `flt data`.\n"
    )
    table("", Grid)
    parts = {"reference": Reference, "figure": Figure, "select": Select, "compare": Compare, "breaks": Breaks}
    for key, kind in {**parts, "style": FigureStyle, "local": Local, "ray": Ray, "slurm": Slurm}.items():
        section(kind, key)
    print("## `flt certify`\n")
    print("Beside the settings of `flt fit`; [guarantees](guarantees.md) has what for.\n")
    print("| setting | meaning |")
    print("|---|---|")
    for action in certify_parser()._actions[1:]:
        print(f"| `{action.dest}` | {action.help} |")


def classes(module: Any, wanted: Any) -> list[type]:
    """The public classes of a module that may be chosen."""
    found = [value for name, value in vars(module).items() if inspect.isclass(value) and name in module.__all__]
    return [kind for kind in dict.fromkeys(found) if not inspect.isabstract(kind) and wanted(kind)]


def section(kind: type, key: str, known: Parameters | None = None) -> None:
    """One class: what it is for and what it takes."""
    summary = docstring_parser.parse(inspect.getdoc(kind) or "").short_description or ""
    print(f"**`{kind.__name__}`**: {plain(' '.join(summary.split()))}\n")
    table(key, kind, known)


def table(key: str, kind: type, known: Parameters | None = None) -> Parameters:
    """The table of a class's settings, but those that are just as ``known`` has them; all of them."""
    described = {
        argument.arg_name: argument.description or ""
        for own in reversed(kind.__mro__)
        for argument in docstring_parser.parse(own.__doc__ or "").params
    }
    signature = inspect.signature(kind).parameters
    # ``**settings`` are the base class's, which ``known`` describes.
    parameters = {name: own for name, own in signature.items() if own.kind is not own.VAR_KEYWORD}
    new = {name: own for name, own in parameters.items() if known is None or not same(own, known.get(name))}
    if new:
        print("| setting | default | meaning |")
        print("|---|---|---|")
        for name, parameter in new.items():
            default = "" if parameter.default is parameter.empty else f"`{shown(parameter.default)}`"
            dotted = f"{key}.{name}" if key else name
            print(f"| `{dotted}` | {default} | {plain(' '.join(described.get(name, '').split()))} |")
        print()
    return parameters


def same(own: inspect.Parameter, other: inspect.Parameter | None) -> bool:
    """Whether a setting is another class's, default and all."""
    return other is not None and own.default == other.default


def shown(value: Any) -> str:
    """A default as YAML has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value)) if isinstance(value, tuple) else str(value)


def plain(text: str) -> str:
    """A docstring's text in Markdown."""
    return re.sub(r"``(.+?)``", r"`\1`", text).replace("|", "\\|")


if __name__ == "__main__":
    main()
