"""Mistakes in the input: each is explained in one line, and no earlier run is touched.

A mistake is a row of `MISTAKES`: the arguments of ``flt``, and what the line has to mention.
"""

import os
import shutil
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import CONFIGS, FLTRUST, SMALL, checkpoint_of, expected_warnings, files_in, run, train, working_in

pytestmark = expected_warnings

RUN = "runs/har/version_0"
CHECKPOINT = f"{RUN}/checkpoints/last.ckpt"
TRIM = ("--attack", "TrimAttack")
TOO_MANY = str(max(2, os.cpu_count() or 1) + 1)
LONGER = ("--trainer.max_steps", "4")
CALLBACK = "--trainer.callbacks"
SAME = (f"{CALLBACK}+", "ModelCheckpoint", f"{CALLBACK}.monitor", "testing_error_rate")
NEVER = ("--trainer.logger.flush_logs_every_n_steps", "0")

OWN_CODE = """
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from flt.federation import Aggregation


class Unrelated:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor


class Unfinished(Aggregation):
    pass


class Needy(CSVLogger):
    def __init__(self, save_dir: str = "runs") -> None:
        import no_such_package


class Pair(nn.Linear):
    def __init__(self) -> None:
        super().__init__(561, 6)

    def forward(self, features):
        return super().forward(features), features


class Noisy(Pair):
    def forward(self, features):
        return nn.functional.dropout(super().forward(features)[0], 0.01)


class Untyped(Aggregation):
    def __init__(self, factor):
        self.factor = factor

    def aggregate(self, round):
        raise NotImplementedError


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(561, 8), nn.Linear(8, 6))

    def forward(self, features):
        return self.layers(features)
"""

TEXTS: dict[str, str | bytes] = {
    "mistaken_code.py": OWN_CODE,
    "mistaken_syntax.py": "def rule(:\n",
    "mistaken_start.py": "\nraise RuntimeError('as soon as it is imported')\n",
    "mistaken_needs.py": "import no_such_package\n",
    "twice.yaml": "model:\n  client_lr: 0.1\n  client_lr: 0.2\n",
    "binary.yaml": bytes(range(256)),
    "list.yaml": "- model\n- data\n",
    "merge.yaml": "<<<<<<< HEAD\nmodel:\n  client_lr: 0.1\n",
    "a_file": "not a folder\n",
    "garbage.ckpt": "garbage\n",
    "key.yaml": "model:\n  client_lrr: 1\n",
    "type.yaml": "model:\n  client_lr: fast\n",
    "include.yaml": "data: no_such/har.yaml\n",
    "empty.yaml": "",
    "null.yaml": "aggregation: null\n",
    "laughs.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{name}: &{name} [{','.join([f'*{last}'] * 9)}]\n" for last, name in pairwise("abcdefghi")),
    "recursive.yaml": "model: &m\n  network: *m\n",
    "deep.yaml": f"model: {'[' * 60}{']' * 60}\n",
    "large.yaml": "# one\n" * 200_000,
    "digits.yaml": f"trainer:\n  max_steps: {'9' * 100_000}\n",
    "names_pipe.yaml": "attack: pipe\n",
    "grid_of_laughs.yaml": f"title: T\nbase: {FLTRUST}\naxes: laughs.yaml\n",
    "resume.yaml": "resume: runs\n",
    "milestones.yaml": f"model:\n  lr_milestones: {list(range(1, 2000))}\n",
    "argument.yaml": "aggregation:\n  class_path: Krum\n  init_args:\n    f: 3\n",
}


def fit(*arguments: str) -> tuple[str, ...]:
    return ("fit", "--config", FLTRUST, *SMALL, *arguments)


def images(*arguments: str) -> tuple[str, ...]:
    return (
        "fit",
        "--config",
        str(CONFIGS / "chmnist_fltrust.yaml"),
        *SMALL,
        "--model.lr_milestones",
        "null",
        *arguments,
    )


def use(command: str, *arguments: str) -> tuple[str, ...]:
    return (command, "--config", FLTRUST, "--data.stand_in", "always", *arguments)


def rule(name: str, *arguments: str) -> tuple[str, ...]:
    return fit("--aggregation", name, *arguments)


def attack(name: str, *arguments: str) -> tuple[str, ...]:
    return fit("--attack", name, *arguments)


def resume(path: str, *arguments: str) -> tuple[str, ...]:
    return fit(*LONGER, "--ckpt_path", path, *arguments)


def table(*arguments: str) -> tuple[str, ...]:
    return ("table", "--title", "T", "--base", FLTRUST, "--axes", "{data.root_size: [50, 100]}", *arguments)


def real(data_dir: str) -> tuple[str, ...]:
    return fit("--data.stand_in", "never", "--data.data_dir", data_dir)


MISTAKES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "no command": ((), ["fit", "validate", "test", "predict"]),
    "unknown command": (("train",), ["train", "fit", "predict"]),
    "unknown option": (fit("--model.client_lrr", "3"), ["--model.client_lrr"]),
    "unknown option of the attack": (fit("--attack.nope", "3"), ["attack", "nope"]),
    "arguments before their class": (
        fit("--aggregation.num_byzantine", "6", "--aggregation", "Krum"),
        ["aggregation", "num_byzantine"],
    ),
    "no network": (("fit", "--data", "HAR"), ["model.network"]),
    "misspelt option": (fit("--agregation", "Krum"), ["--agregation", "did you mean --aggregation"]),
    "abbreviated option": (
        fit("--trainer.max_step", "3"),
        ["--trainer.max_step 3", "did you mean --trainer.max_steps"],
    ),
    "dash of a text processor": (fit("\u2014model.client_lr", "1"), ["did you mean --model.client_lr"]),
    "option without its value": (fit("--model.client_lr"), ["--model.client_lr", "expected one argument"]),
    "empty value": (fit("--model.client_lr", ""), ["model.client_lr", "float"]),
    "file without its option": (("fit", "own.yaml"), ["own.yaml", "--config own.yaml"]),
    "file before the command": (("--config", FLTRUST, "fit"), ["begin with flt fit"]),
    "fit without anything": (("fit",), ["model.network", "data", "flt fit --config"]),
    "key twice": (fit("--config", "twice.yaml"), ["twice.yaml", "client_lr", "a second time", "line 3"]),
    "key twice on the command line": (
        images("--data.inputs", "{flip: true, flip: false}"),
        ["data", "flip"],
    ),
    "binary file": (fit("--config", "binary.yaml"), ["binary.yaml", "UTF-8"]),
    "list in a file": (fit("--config", "list.yaml"), ["list.yaml", "- model"]),
    "marks of a merge": (fit("--config", "merge.yaml"), ["merge.yaml", "line 2"]),
    "missing file": (("fit", "--config", "nope.yaml"), ["nope.yaml"]),
    "folder as file": (("fit", "--config", "runs"), ["runs"]),
    "unknown key in a file": (fit("--config", "key.yaml"), ["client_lrr"]),
    "wrong type in a file": (fit("--config", "type.yaml"), ["model.client_lr", "fast"]),
    "unknown argument in a file": (fit("--config", "argument.yaml"), ["aggregation", "'f'"]),
    "missing included file": (fit("--config", "include.yaml"), ["data", "no_such/har.yaml", "file"]),
    "empty file": (fit("--config", "empty.yaml"), ["empty.yaml"]),
    "no rule in a file": (fit("--config", "null.yaml"), ["aggregation"]),
    "aliases upon aliases": (fit("--config", "laughs.yaml"), ["laughs.yaml", "100,000 values"]),
    "alias within itself": (fit("--config", "recursive.yaml"), ["recursive.yaml", "100,000 values"]),
    "deep nesting": (fit("--config", "deep.yaml"), ["deep.yaml", "line 1", "50 collections"]),
    "very deep nesting on the command line": (fit("--model", "[" * 5000), ["model"]),
    "large file": (fit("--config", "large.yaml"), ["large.yaml", "1,000,000 bytes"]),
    "endless digits": (fit("--config", "digits.yaml"), ["digits"]),
    "pipe as file": (("fit", "--config", "pipe.yaml"), ["config=pipe.yaml", "is a pipe"]),
    "pipe in a file": (fit("--config", "names_pipe.yaml"), ["=pipe", "is a pipe"]),
    "NUL in a name": (attack("a\0b"), ["attack", "null byte"]),
    "dict_kwargs of a rule": (fit("--aggregation.dict_kwargs.factor", "3"), ["FLTrust", "factor"]),
    "argument without a type": (rule("mistaken_code.Untyped"), ["aggregation.factor is missing"]),
    "grid of aliases": (("table", "--config", "laughs.yaml", "--out", "o"), ["laughs.yaml", "100,000 values"]),
    "axes of aliases that a grid names": (
        ("table", "--config", "grid_of_laughs.yaml", "--out", "o"),
        ["laughs.yaml", "100,000 values"],
    ),
    "binary reference": (
        table("--out", "o", "--reference", "{where: {}, file: binary.yaml}"),
        ["reference.file", "binary.yaml", "UTF-8"],
    ),
    "help of an unknown rule": (("fit", "--aggregation.help", "Nope"), ["aggregation=Nope", "FLTrust", "Krum"]),
    "resume in a file": (fit("--config", "resume.yaml"), ["--resume RUN_FOLDER"]),
    "unknown rule": (rule("Nope"), ["aggregation", "Nope", "FLTrust", "Krum", "TrimmedMean"]),
    "unknown network": (fit("--model.network", "Nope"), ["model.network", "Nope", "LogisticRegression"]),
    "unknown trigger": (attack("ScalingAttack", "--attack.trigger", "Nope"), ["trigger", "Nope"]),
    "attack as rule": (rule("TrimAttack"), ["aggregation", "TrimAttack"]),
    "no such module": (rule("no_such_module.Rule"), ["aggregation", "no_such_module"]),
    "no such class": (rule("mistaken_code.Rule"), ["aggregation", "mistaken_code", "Rule"]),
    "module with a syntax error": (rule("mistaken_syntax.Rule"), ["aggregation", "mistaken_syntax.py", "line 1"]),
    "class of another kind": (rule("mistaken_code.Unrelated"), ["aggregation", "subclass of Aggregation"]),
    "abstract class": (rule("mistaken_code.Unfinished"), ["aggregation", "abstract"]),
    "module that raises": (rule("mistaken_start.Rule"), ["aggregation: ", "as soon as", "mistaken_start.py, line 2"]),
    "module of a network that raises": (
        fit("--model.network", "mistaken_start.Net"),
        ["as soon as", "mistaken_start.py, line 2"],
    ),
    "module that needs another": (rule("mistaken_needs.Rule"), ["aggregation: ", "no_such_package"]),
    "rule in small letters": (rule("krum"), ["aggregation=krum", "Krum"]),
    "logger without its package": (
        fit("--trainer.logger", "mistaken_code.Needy"),
        ["Needy needs a package that is not installed", "no_such_package"],
    ),
    "unknown option of a logger": (
        fit("--trainer.logger", "CSVLogger", "--trainer.logger.nope", "3"),
        ["trainer.logger", "nope"],
    ),
    "unknown callback": (fit("--trainer.callbacks", "Nope"), ["trainer.callbacks=Nope", "import path"]),
    "milestone without brackets": (fit("--model.lr_milestones", "5"), ["model.lr_milestones", "list", "5"]),
    "decimal comma": (fit("--model.client_lr", "0,1"), ["model.client_lr", "float", "0,1"]),
    "word for a fraction": (fit("--attack.fraction", "lots"), ["attack", "fraction", "float", "lots"]),
    "word for the seed": (fit("--seed_everything", "today"), ["seed_everything", "int", "today"]),
    "negative fraction": (attack(*TRIM[1:], "--attack.fraction", "-0.1"), ["attack.fraction=-0.1", "0"]),
    "everybody malicious": (attack(*TRIM[1:], "--attack.fraction", "1"), ["attack.fraction=1.0", "less than 1"]),
    "negative epsilon": (attack("KrumAttack", "--attack.epsilon", "-1"), ["attack.epsilon=-1.0"]),
    "nothing poisoned": (attack("ScalingAttack", "--attack.poison_fraction", "0"), ["attack.poison_fraction=0.0"]),
    "scale of zero": (attack("ScalingAttack", "--attack.scale", "0"), ["attack.scale=0.0"]),
    "target class out of range": (
        attack("ScalingAttack", "--attack.target_class", "6"),
        ["attack.target_class=6", "5"],
    ),
    "trimming as many as are malicious": (rule("TrimmedMean", *TRIM, "--attack.fraction", "0.5"), ["trim=15", "14"]),
    "too few clients for Krum": (rule("Krum", "--aggregation.num_byzantine", "28"), ["num_byzantine=28", "30", "27"]),
    "no bound": (rule("NormClipping"), ["aggregation.max_norm is missing", "--aggregation.help NormClipping"]),
    "negative noise": (
        rule("NormClipping", "--aggregation.max_norm", "1", "--aggregation.noise_std", "-1"),
        ["aggregation.noise_std=-1.0", "from 0"],
    ),
    "no step of Weiszfeld's": (rule("RFA", "--aggregation.num_steps", "0"), ["aggregation.num_steps=0", "1 or more"]),
    "no smoothing": (rule("GeometricMedian", "--aggregation.smoothing", "0"), ["aggregation.smoothing=0.0", "greater"]),
    "momentum of 1": (rule("CenteredClipping", "--aggregation.momentum", "1"), ["aggregation.momentum=1.0", "less"]),
    "more votes than clients": (rule("RLR", "--aggregation.threshold", "31"), ["threshold=31", "RLR of 30 updates"]),
    "no neighbours": (rule("Krum", "--aggregation.num_neighbours", "0"), ["aggregation.num_neighbours=0", "1 to 29"]),
    "too many selected": (
        rule("MultiKrum", "--aggregation.num_selected", "31"),
        ["aggregation.num_selected=31", "1 to 30"],
    ),
    "too few clients to select one by one": (
        rule("MultiKrum", "--aggregation.iterative", "true", "--aggregation.num_byzantine", "14"),
        ["num_byzantine=14", "2 * num_byzantine + 3", "at most 13"],
    ),
    "too few clients for Bulyan": (
        rule("Bulyan", "--aggregation.num_byzantine", "7"),
        ["aggregation.num_byzantine=7", "4 * num_byzantine + 3", "at most 6"],
    ),
    "too few clients for MeaMed": (
        rule("MeaMed", "--aggregation.num_byzantine", "15"),
        ["aggregation.num_byzantine=15", "2 * num_byzantine + 1", "at most 14"],
    ),
    "too few clients for MoNNA": (
        rule("MoNNA", "--aggregation.num_byzantine", "15"),
        ["aggregation.num_byzantine=15", "2 * num_byzantine + 1", "at most 14"],
    ),
    "too few clients for CAF": (rule("CAF", "--aggregation.num_byzantine", "15"), ["num_byzantine=15", "at most 14"]),
    "too few clients for DnC": (
        rule("DnC", "--aggregation.num_byzantine", "15", "--aggregation.filter_fraction", "2"),
        ["num_byzantine=15", "2 * num_byzantine", "at most 14"],
    ),
    "too few clients for GAS": (rule("GAS", "--aggregation.num_byzantine", "15"), ["num_byzantine=15", "at most 14"]),
    "no chunks": (rule("GAS", "--aggregation.num_chunks", "0"), ["aggregation.num_chunks=0", "1 or more"]),
    "rule in chunks that does not fit": (
        rule("GAS", "--aggregation.rule", "Bulyan", "--aggregation.rule.num_byzantine", "7"),
        ["aggregation.rule.num_byzantine=7", "at most 6"],
    ),
    "no copies": (rule("FoundationFL", "--aggregation.num_synthetic", "0"), ["num_synthetic=0", "1 or more"]),
    "too few clients for MDA": (rule("MDA", "--aggregation.num_byzantine", "15"), ["num_byzantine=15", "at most 14"]),
    "search without end": (
        rule("MDA", "--aggregation.num_byzantine", "9", "--aggregation.max_trials", "30"),
        ["aggregation.num_byzantine=9", "37 trials", "at most 8", "aggregation.max_trials=30"],
    ),
    "nothing to filter": (rule("DnC", "--aggregation.filter_fraction", "0"), ["filter_fraction=0.0", "above 0"]),
    "no coordinates": (rule("DnC", "--aggregation.num_coordinates", "0"), ["num_coordinates=0", "1 or more"]),
    "no repetitions": (rule("DnC", "--aggregation.num_repetitions", "0"), ["num_repetitions=0", "1 or more"]),
    "unknown variant": (fit("--aggregation.variant", "Best"), ["variant", "Best", "withServer", "ParNorm"]),
    "no root dataset": (fit("--data.root_size", "0"), ["root_size=0", "1"]),
    "root dataset of everything": (fit("--data.root_size", "7723"), ["root_size=7723", "7722"]),
    "negative bias": (fit("--data.bias_probability", "-0.1"), ["bias_probability=-0.1", "0 to 1"]),
    "too few of the biased class": (
        fit("--data.bias_probability", "1", "--data.root_size", "5000"),
        ["bias_probability=1.0", "root_size=5000", "class 1"],
    ),
    "biased class out of range": (fit("--data.biased_class", "6"), ["biased_class=6", "0 to 5"]),
    "empty batches": (fit("--data.batch_size", "0"), ["batch_size=0", "1"]),
    "neither data nor network": (
        fit("--data.stand_in", "never"),
        ["cannot be reached", "UCI HAR Dataset.zip", "data_dir", "--data.stand_in=if_unreachable"],
    ),
    "no such root folder": (fit("--data.root_path", "nope"), ["root_path='nope'", "no such folder or file"]),
    "root folder of images for vectors": (
        fit("--data.root_path", "runs"),
        ["data.root_path='runs'", "[561]", ".npz"],
    ),
    "root file of another kind": (fit("--data.root_path", "a_file"), ["a_file", ".npz"]),
    "degree out of range": (images("--data.partition.noniid_degree", "2"), ["noniid_degree=2", "0 to 1"]),
    "fewer clients than groups": (images("--data.num_clients", "7"), ["num_clients=7", "8"]),
    "negative padding": (images("--data.inputs.crop_padding", "-1"), ["crop_padding=-1", "0 or more"]),
    "missing file of inputs": (images("--data.inputs", "nope.yaml"), ["inputs=nope.yaml", "no such file"]),
    "file as data folder": (real("a_file"), ["data_dir", "a_file", "folder"]),
    "truncated archive": (real("../data/truncated"), ["UCI HAR Dataset.zip", "truncated", "delete"]),
    "NaN in the data": (real("../data/nan"), ["train/X_train.txt", "line 2", "nan", "column 561"]),
    "more clients than there are": (fit("--model.clients_per_round", "31"), ["model.clients_per_round=31", "30"]),
    "no clients": (fit("--model.clients_per_round", "0"), ["model.clients_per_round=0", "1"]),
    "root batch too large": (
        fit("--model.root_batch_size", "101"),
        ["model.root_batch_size=101", "data.root_size=100"],
    ),
    "server_lr beside an optimizer": (
        fit("--model.server_lr", "2", "--model.server_optimizer", "torch.optim.Adam"),
        ["model.server_lr=2.0", "model.server_optimizer"],
    ),
    "milestone of 0": (fit("--model.lr_milestones", "[0]"), ["model.lr_milestones=[0]", "1 or more"]),
    "optimizer that evaluates the loss": (
        fit("--model.server_optimizer", "torch.optim.LBFGS"),
        ["model.server_optimizer", "closure"],
    ),
    "unknown setting of an optimizer": (
        fit("--model.server_optimizer", "Adam", "--model.server_optimizer.lrr", "1"),
        ["model.server_optimizer", "lrr"],
    ),
    "network of images for vectors": (fit("--model.network", "CNN"), ["model.network CNN", "[561]"]),
    "network of other classes": (fit("--model.network.num_classes", "7"), ["LogisticRegression", "7", "HAR", "6"]),
    "network without features": (fit("--model.network.num_features", "0"), ["num_features=0"]),
    "network that gives two tensors": (fit("--model.network", "mistaken_code.Pair"), ["Pair gives a tuple", "[1, 6]"]),
    "network with random numbers": (fit("--model.network", "mistaken_code.Noisy"), ["Noisy", "random numbers"]),
    "network without parameters": (fit("--model.network", "torch.nn.Identity"), ["Identity", "parameters"]),
    "missing checkpoint": (resume("nope.ckpt"), ["--ckpt_path", "nope.ckpt"]),
    "garbage as checkpoint": (resume("garbage.ckpt"), ["--ckpt_path", "garbage.ckpt"]),
    "list as checkpoint": (resume("list.ckpt"), ["--ckpt_path", "list.ckpt"]),
    "checkpoint of another program": (resume("other_program.ckpt"), ["another model", "give the model.network"]),
    "checkpoint of another network": (
        resume(CHECKPOINT, "--model.network", "mistaken_code.Wide"),
        ["another model", "network.layers.1.bias"],
    ),
    "checkpoint of another seed": (resume(CHECKPOINT, "--seed_everything", "1"), ["seed", "0", "1"]),
    "checkpoint with nothing left to do": (fit("--ckpt_path", CHECKPOINT), ["trainer.max_steps", "2"]),
    "validate without a checkpoint": (use("validate"), ["flt validate", "--ckpt_path"]),
    "test with other data": (use("test", "--ckpt_path", "other_data.ckpt"), ["data", "HAR (stand-in)", "MNIST"]),
    "no rounds": (fit("--trainer.max_steps", "0"), ["trainer.max_steps=0", "1"]),
    "evaluating within a round": (fit("--trainer.val_check_interval", "0.5"), ["val_check_interval"]),
    **{f"precision {each}": (fit("--trainer.precision", each), ["precision", each]) for each in ("16-mixed", "nope")},
    "unknown accelerator": (fit("--trainer.accelerator", "abacus"), ["accelerator", "abacus"]),
    "no devices": (fit("--trainer.accelerator", "cpu", "--trainer.devices", "0"), ["devices", "0"]),
    "epochs": (fit("--trainer.max_epochs", "5"), ["trainer.max_epochs=5", "trainer.max_steps"]),
    "clipping": (fit("--trainer.gradient_clip_val", "1.0"), ["trainer.gradient_clip_val=1.0", "NormBoundedMean"]),
    "word for an evaluation's interval": (fit("--trainer.val_check_interval", "often"), ["val_check_interval=often"]),
    "precision of 8 bits": (fit("--trainer.precision", "8"), ["trainer.precision", "8", "32-true", "bf16-mixed"]),
    "more processes than cores": (
        fit("--trainer.accelerator", "cpu", "--trainer.devices", TOO_MANY),
        [f"trainer.devices={TOO_MANY}", "cores", "at most"],
    ),
    "other machines that nobody named": (fit("--trainer.num_nodes", "2"), ["trainer.num_nodes=2", "MASTER_ADDR"]),
    "strategy for GPUs": (fit("--trainer.accelerator", "cpu", "--trainer.strategy", "fsdp"), ["fsdp", "GPU"]),
    "no seed": (fit("--seed_everything", "false"), ["seed_everything=False", "give a number"]),
    "negative seed": (fit("--seed_everything", "-1"), ["seed_everything", "-1"]),
    "bare bones": (fit("--trainer.barebones", "true"), ["barebones"]),
    "file as folder of runs": (fit("--trainer.logger.save_dir", "a_file"), ["a_file"]),
    "figure of an unknown kind": (use("data", "--plot", "a.docx"), ["plot='a.docx'", ".png"]),
    "evaluation of a folder": (use("test", "--ckpt_path", "runs"), ["--ckpt_path runs"]),
    "table into a file": (table("--out", "a_file"), ["out='a_file'", "folder"]),
    "table by nobody": (table("--out", "o", "--jobs", "0"), ["jobs=0", "1"]),
    "plot of nothing": (("plot", "nope"), ["nope/summary.json", "no such file"]),
    "plot of another program's summary": (
        ("plot", "foreign"),
        ["foreign/summary.json", "no summary of a run", "--resume foreign"],
    ),
    "plot of an unknown metric": (("plot", RUN, "--y", "[nope]"), ["y=nope", "testing_error_rate"]),
    "dashboard of nobody": (("dashboard",), ["entity", "flt dashboard --help"]),
    "second rule": (fit("--trainer.callbacks+", "Krum"), ["trainer.callbacks", "Krum", "FLTrust"]),
    "learning-rate finder": (fit(CALLBACK, "LearningRateFinder"), ["holds LearningRateFinder", "model.client_lr"]),
    "stopping early without a backdoor": (
        fit(CALLBACK, "EarlyStopping", f"{CALLBACK}.monitor", "attack_success_rate"),
        ["EarlyStopping monitors attack_success_rate", "testing_error_rate"],
    ),
    "the same checkpoints twice": (fit(*SAME, *SAME), ["more than one stateful callback", "ModelCheckpoint"]),
    "never flushing": (
        fit("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "r", *NEVER),
        ["trainer.logger.flush_logs_every_n_steps=0", "1 or more"],
    ),
    "runs on another machine": (
        fit("--trainer.logger.save_dir", "memory://runs"),
        ["trainer.logger.save_dir=memory://runs", "folder of this machine"],
    ),
    "more memory than there is": (
        fit("--model.local_steps", str(2**62)),
        [f"model.local_steps={2**62} would need", "GB"],
    ),
    "server_lr beyond float32": (fit("--model.server_lr", "1e308"), ["model.server_lr=1e+308", "float32"]),
    "decays beyond float32": (
        fit("--model.lr_gamma", "1e30", "--model.lr_milestones", "[1, 1, 1]"),
        ["model.lr_gamma=1e+30", "after 3 of model.lr_milestones"],
    ),
    "noise beyond float32": (
        fit("--attack", "AdaptiveAttack", "--attack.noise_variance", "1e60"),
        ["attack.noise_variance=1e+60"],
    ),
    "a million milestones": (
        fit("--config", "milestones.yaml"),
        ["milestones.yaml", "a list of more than 1,000 entries"],
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with one finished run and everything that the mistakes are about."""
    base = tmp_path_factory.mktemp("mistakes")
    folder = base / "work"
    folder.mkdir()
    with working_in(folder, base):
        checkpoint = checkpoint_of(train())
        for name, text in TEXTS.items():
            Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
        Path("foreign").mkdir()
        for name in ("pipe", "pipe.yaml"):
            os.mkfifo(name)
        Path("foreign/summary.json").write_text("{}")
        _write_checkpoints(checkpoint, Path(CHECKPOINT).read_bytes())
    _write_data(base / "data")
    return folder


def _write_checkpoints(good: dict[str, Any], content: bytes) -> None:
    Path("half.ckpt").write_bytes(content[: len(content) // 2])
    weights = {"layer.weight": torch.zeros(2)}
    torch.save([weights], "list.ckpt")
    torch.save({"state_dict": weights}, "weights.ckpt")
    torch.save({**good, "state_dict": weights}, "other_program.ckpt")
    torch.save({**good, "flt": {**good["flt"], "data": "MNIST"}}, "other_data.ckpt")


def _write_data(base: Path) -> None:
    row = " ".join(["0.5"] * 561) + "\n"
    good = {f"{part}/X_{part}.txt": 2 * row for part in ("train", "test")}
    good |= {f"{part}/{kind}_{part}.txt": "1\n2\n" for part in ("train", "test") for kind in ("y", "subject")}
    damaged = {
        "narrow": {"train/X_train.txt": row + row[4:]},
        "nan": {"train/X_train.txt": row + row[4:].replace("\n", " nan\n")},
        "label": {"train/y_train.txt": "1\n7\n"},
        "uneven": {"train/X_train.txt": row},
        "few": {},
    }
    for name, changes in damaged.items():
        _write_archive(base / name, good | changes)
    _write_archive(base / "incomplete", {name: text for name, text in good.items() if name != "test/X_test.txt"})
    whole = _write_archive(base / "truncated", good)
    whole.write_bytes(whole.read_bytes()[:-100])
    (base / "folder" / "UCI HAR Dataset" / "train").mkdir(parents=True)


def _write_archive(folder: Path, content: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    path = folder / "UCI HAR Dataset.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(f"UCI HAR Dataset/{name}", text)
    return path


@pytest.fixture
def place(site: Path, tmp_path: Path) -> Iterator[Path]:
    """That directory as the working directory; what a command leaves there is removed after the test."""
    before = set(site.rglob("*"))
    with working_in(site, tmp_path):
        yield site
    for path in sorted(set(site.rglob("*")) - before):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def expect_one_line(place: Path, arguments: tuple[str, ...], mentioned: list[str]) -> None:
    before = files_in(place)
    ended = run(*arguments)
    lines = ended.errors.splitlines()
    assert (ended.status, len(lines)) == (2, 1), ended.errors
    assert lines[0].startswith("flt: error: ")
    missing = [each for each in mentioned if each not in lines[0]]
    assert not missing, f"{missing} not in: {lines[0]}"
    after = files_in(place)
    assert after.keys() - before.keys() == set(), "the command left something behind"
    assert after == before


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(place: Path, mistake: str) -> None:
    arguments, mentioned = MISTAKES[mistake]
    expect_one_line(place, arguments, mentioned)
