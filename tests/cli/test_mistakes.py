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

OWN_CODE = """
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from flt.federation import Aggregation


class Unrelated:
    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor


class Unfinished(Aggregation):
    pass


def function(factor: float = 1.0) -> None:
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
    "section_twice.yaml": "model:\n  client_lr: 0.1\ntrainer: {max_steps: 2}\nmodel:\n  local_steps: 2\n",
    "binary.yaml": bytes(range(256)),
    "latin.yaml": "# caf\xe9\n".encode("latin1"),
    "list.yaml": "- model\n- data\n",
    "colon.yaml": "model:\n  client_lr:0.1\n",
    "merge.yaml": "<<<<<<< HEAD\nmodel:\n  client_lr: 0.1\n",
    "section_empty.yaml": "model:\n",
    "a_file": "not a folder\n",
    "garbage.ckpt": "garbage\n",
    "syntax.yaml": "model:\n  client_lr: [1\n",
    "tabs.yaml": "model:\n\tclient_lr: 1\n",
    "key.yaml": "model:\n  client_lrr: 1\n",
    "section.yaml": "modell:\n  client_lr: 1\n",
    "type.yaml": "model:\n  client_lr: fast\n",
    "include.yaml": "data: no_such/har.yaml\n",
    "empty.yaml": "",
    "sentence.yaml": "hello\n",
    "null.yaml": "aggregation: null\n",
    "laughs.yaml": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{name}: &{name} [{','.join([f'*{last}'] * 9)}]\n" for last, name in pairwise("abcdefghi")),
    "recursive.yaml": "model: &m\n  network: *m\n",
    "deep.yaml": f"model: {'[' * 60}{']' * 60}\n",
    "includes.yaml": "attack: deep.yaml\n",
    "large.yaml": "# one\n" * 200_000,
    "digits.yaml": f"trainer:\n  max_steps: {'9' * 100_000}\n",
    "names_pipe.yaml": "attack: pipe\n",
    "nul.yaml": 'attack: "a\\0b"\n',
    "grid_of_laughs.yaml": f"title: T\nbase: {FLTRUST}\naxes: laughs.yaml\n",
    "resume.yaml": "resume: runs\n",
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
    # Commands and options
    "no command": ((), ["fit", "validate", "test", "predict"]),
    "unknown command": (("train",), ["train", "fit", "predict"]),
    "unknown option": (fit("--model.client_lrr", "3"), ["--model.client_lrr"]),
    "unknown option of the attack": (fit("--attack.nope", "3"), ["attack", "nope"]),
    "unknown option of the rule": (fit("--aggregation.num_byzantine", "6"), ["aggregation", "num_byzantine"]),
    "unknown option of the data": (fit("--data.nope", "3"), ["data", "nope"]),
    "arguments before their class": (
        fit("--aggregation.num_byzantine", "6", "--aggregation", "Krum"),
        ["aggregation", "num_byzantine"],
    ),
    "no network": (("fit", "--data", "HAR"), ["model.network"]),
    "no data set": (("fit", "--model.network", "LogisticRegression"), ["data"]),
    "misspelt option": (fit("--agregation", "Krum"), ["--agregation", "did you mean --aggregation"]),
    "abbreviated option": (
        fit("--trainer.max_step", "3"),
        ["--trainer.max_step 3", "did you mean --trainer.max_steps"],
    ),
    "abbreviated option of an evaluation": (use("test", "--ckpt", "a"), ["--ckpt", "did you mean --ckpt_path"]),
    "option without dashes": (fit("model.client_lr=1"), ["model.client_lr=1", "did you mean --model.client_lr"]),
    "dash of a text processor": (fit("\u2014model.client_lr", "1"), ["did you mean --model.client_lr"]),
    "two options in one": (fit("--model.client_lr=1 --model.local_steps=2"), ["model.client_lr", "float"]),
    "option without its value": (fit("--model.client_lr"), ["--model.client_lr", "expected one argument"]),
    "empty value": (fit("--model.client_lr", ""), ["model.client_lr", "float"]),
    "file without its option": (("fit", "own.yaml"), ["own.yaml", "--config own.yaml"]),
    "file before the command": (("--config", FLTRUST, "fit"), ["begin with flt fit"]),
    **{
        f"{command} without anything": ((command,), ["model.network", "data", f"flt {command} --config"])
        for command in ("fit", "validate", "test", "predict")
    },
    "data without anything": (("data",), ["data", "flt data --config"]),
    # Configuration files
    "key twice": (fit("--config", "twice.yaml"), ["twice.yaml", "client_lr", "a second time", "line 3"]),
    "section twice": (
        fit("--config", "section_twice.yaml"),
        ["section_twice.yaml", "model", "a second time", "line 4"],
    ),
    "key twice on the command line": (
        images("--data.inputs", "{flip: true, flip: false}"),
        ["data", "flip"],
    ),
    "binary file": (fit("--config", "binary.yaml"), ["binary.yaml", "UTF-8"]),
    "file in another encoding": (fit("--config", "latin.yaml"), ["latin.yaml", "UTF-8"]),
    "list in a file": (fit("--config", "list.yaml"), ["list.yaml", "- model"]),
    "space missing": (fit("--config", "colon.yaml"), ["colon.yaml", "client_lr:0.1"]),
    "marks of a merge": (fit("--config", "merge.yaml"), ["merge.yaml", "line 2"]),
    "empty section in a file": (fit("--config", "section_empty.yaml"), ["section_empty.yaml", "model:"]),
    "no name of a file": (fit("--config="), ["config"]),
    "missing file": (("fit", "--config", "nope.yaml"), ["nope.yaml"]),
    "folder as file": (("fit", "--config", "runs"), ["runs"]),
    "bad syntax": (("fit", "--config", "syntax.yaml"), ["syntax.yaml", "line 2"]),
    "bad syntax in a second file": (fit("--config", "syntax.yaml"), ["syntax.yaml", "line 2"]),
    "tabs": (fit("--config", "tabs.yaml"), ["tabs.yaml", "line 2"]),
    "unknown key in a file": (fit("--config", "key.yaml"), ["client_lrr"]),
    "unknown section in a file": (fit("--config", "section.yaml"), ["modell"]),
    "wrong type in a file": (fit("--config", "type.yaml"), ["model.client_lr", "fast"]),
    "unknown argument in a file": (fit("--config", "argument.yaml"), ["aggregation", "'f'"]),
    "missing included file": (fit("--config", "include.yaml"), ["data", "no_such/har.yaml", "file"]),
    "empty file": (fit("--config", "empty.yaml"), ["empty.yaml"]),
    "sentence in a file": (fit("--config", "sentence.yaml"), ["sentence.yaml"]),
    "no rule in a file": (fit("--config", "null.yaml"), ["aggregation"]),
    "missing attack file": (attack("configs/attack/nope.yaml"), ["attack", "configs/attack/nope.yaml", "file"]),
    # Hostile configuration
    "aliases upon aliases": (fit("--config", "laughs.yaml"), ["laughs.yaml", "100,000 values"]),
    "alias within itself": (fit("--config", "recursive.yaml"), ["recursive.yaml", "line 2", "*m", "&m"]),
    "deep nesting": (fit("--config", "deep.yaml"), ["deep.yaml", "line 1", "50 collections"]),
    "deep nesting on the command line": (fit("--model", "[" * 60 + "]" * 60), ["model", "50 collections"]),
    "very deep nesting on the command line": (fit("--model", "[" * 5000), ["model", "[[["]),
    "deep nesting in an included file": (fit("--config", "includes.yaml"), ["deep.yaml", "50 collections"]),
    "deep nesting in a class's file": (attack("deep.yaml"), ["attack=deep.yaml", "50 collections"]),
    "large file": (fit("--config", "large.yaml"), ["large.yaml", "1,000,000 bytes"]),
    "endless digits": (fit("--config", "digits.yaml"), ["99999...", "100,000 characters"]),
    "endless digits on the command line": (
        fit("--trainer.max_steps", "9" * 100_000),
        ["trainer.max_steps=999", "100,000 characters"],
    ),
    "pipe as file": (("fit", "--config", "pipe.yaml"), ["config=pipe.yaml", "is a pipe"]),
    "pipe as a class's file": (attack("pipe"), ["attack=pipe", "is a pipe"]),
    "pipe in a file": (fit("--config", "names_pipe.yaml"), ["=pipe", "is a pipe"]),
    "standard input as file": (("fit", "--config", "-"), ["config=-", "give a file"]),
    "NUL in a name": (attack("a\0b"), ["attack=", "NUL"]),
    "NUL in a file": (fit("--config", "nul.yaml"), ["NUL"]),
    "dict_kwargs of a rule": (fit("--aggregation.dict_kwargs.factor", "3"), ["aggregation.dict_kwargs", "factor"]),
    "dict_kwargs of a data set": (fit("--data.dict_kwargs", "{factor: 3}"), ["data.dict_kwargs", "factor"]),
    "argument without a type": (rule("mistaken_code.Untyped"), ["aggregation", "factor", "required"]),
    "grid in a pipe": (("table", "--config", "pipe.yaml", "--out", "o"), ["pipe.yaml", "is a pipe"]),
    "grid of aliases": (("table", "--config", "laughs.yaml", "--out", "o"), ["laughs.yaml", "100,000 values"]),
    "axes in a pipe": (table("--axes", "pipe.yaml", "--out", "o"), ["axes=pipe.yaml", "is a pipe"]),
    "axes of aliases": (table("--axes", "laughs.yaml", "--out", "o"), ["laughs.yaml", "100,000 values"]),
    "axes of aliases that a grid names": (
        ("table", "--config", "grid_of_laughs.yaml", "--out", "o"),
        ["laughs.yaml", "100,000 values"],
    ),
    "reference in a pipe": (
        table("--out", "o", "--reference", "{where: {}, file: pipe}"),
        ["reference", "pipe"],
    ),
    "binary reference": (
        table("--out", "o", "--reference", "{where: {}, file: binary.yaml}"),
        ["reference.file", "binary.yaml", "UTF-8"],
    ),
    "help of an unknown rule": (("fit", "--aggregation.help", "Nope"), ["aggregation=Nope", "FLTrust", "Krum"]),
    "resume in a file": (fit("--config", "resume.yaml"), ["resume=runs", "--resume runs"]),
    # Names of classes
    "unknown rule": (rule("Nope"), ["aggregation", "Nope", "FLTrust", "Krum", "TrimmedMean"]),
    "unknown attack": (attack("Nope"), ["attack", "Nope", "TrimAttack", "NoAttack"]),
    "unknown data set": (fit("--data", "Nope"), ["data", "Nope", "HAR"]),
    "unknown network": (fit("--model.network", "Nope"), ["model.network", "Nope", "LogisticRegression"]),
    "unknown server optimizer": (fit("--model.server_optimizer", "Nope"), ["model.server_optimizer", "Nope"]),
    "unknown trigger": (attack("ScalingAttack", "--attack.trigger", "Nope"), ["trigger", "Nope"]),
    "attack as rule": (rule("TrimAttack"), ["aggregation", "TrimAttack"]),
    "rule as attack": (attack("Krum"), ["attack", "Krum"]),
    "no attack at all": (attack("null"), ["attack", "NoAttack"]),
    "no such module": (rule("no_such_module.Rule"), ["aggregation", "no_such_module"]),
    "no such class": (rule("mistaken_code.Rule"), ["aggregation", "mistaken_code", "Rule"]),
    "module with a syntax error": (rule("mistaken_syntax.Rule"), ["aggregation", "mistaken_syntax.py", "line 1"]),
    "class of another kind": (rule("mistaken_code.Unrelated"), ["aggregation", "subclass of Aggregation"]),
    "abstract class": (rule("mistaken_code.Unfinished"), ["aggregation", "abstract"]),
    "module that raises": (rule("mistaken_start.Rule"), ["aggregation=mistaken_start.Rule", "as soon as", "line 2"]),
    "module of an attack that raises": (
        attack("mistaken_start.A"),
        ["attack=mistaken_start.A", "as soon as", "line 2"],
    ),
    "module of a network that raises": (
        fit("--model.network", "mistaken_start.Net"),
        ["cannot be imported", "as soon as", "mistaken_start.py, line 2"],
    ),
    "module of a network with a syntax error": (
        fit("--model.network", "mistaken_syntax.Net"),
        ["cannot be imported", "mistaken_syntax.py", "line 1"],
    ),
    "module that needs another": (rule("mistaken_needs.Rule"), ["aggregation=mistaken_needs.Rule", "no_such_package"]),
    "no such class of ours": (rule("callbacks.Kurm"), ["aggregation", "callbacks", "Kurm"]),
    "function as rule": (rule("mistaken_code.function"), ["aggregation", "mistaken_code.function", "subclass"]),
    "rule in small letters": (rule("krum"), ["aggregation=krum", "Krum"]),
    "unknown logger": (fit("--trainer.logger", "WandbLoggr"), ["trainer.logger=WandbLoggr", "WandbLogger"]),
    "logger without its package": (
        fit("--trainer.logger", "mistaken_code.Needy"),
        ["Needy needs a package that is not installed", "no_such_package"],
    ),
    "logger without an argument": (fit("--trainer.logger", "TensorBoardLogger"), ["trainer.logger", "save_dir"]),
    "unknown option of a logger": (
        fit("--trainer.logger", "CSVLogger", "--trainer.logger.nope", "3"),
        ["trainer.logger", "nope"],
    ),
    "unknown callback": (fit("--trainer.callbacks", "Nope"), ["trainer.callbacks=Nope", "import path"]),
    "no such module of a callback": (
        fit("--trainer.callbacks", "no_such_module.A"),
        ["trainer.callbacks=no_such_module.A", "No module named"],
    ),
    # Types
    "milestone without brackets": (fit("--model.lr_milestones", "5"), ["model.lr_milestones", "list", "5"]),
    "word as milestone": (fit("--model.lr_milestones", "[a]"), ["model.lr_milestones", "int", "'a'"]),
    "decimal comma": (fit("--model.client_lr", "0,1"), ["model.client_lr", "float", "0,1"]),
    "word for the chunk": (
        fit("--model.clients_per_chunk", "many"),
        ["model.clients_per_chunk", "int", "auto", "many"],
    ),
    "word for a whole number": (fit("--trainer.max_steps", "many"), ["trainer.max_steps", "int", "many"]),
    "fraction for a whole number": (fit("--data.root_size", "1.5"), ["root_size", "int", "1.5"]),
    "word for a number": (fit("--model.client_lr", "fast"), ["model.client_lr", "float", "fast"]),
    "word for a fraction": (fit("--attack.fraction", "lots"), ["attack", "fraction", "float", "lots"]),
    "word for the seed": (fit("--seed_everything", "today"), ["seed_everything", "int", "today"]),
    # The attack
    "negative fraction": (attack(*TRIM[1:], "--attack.fraction", "-0.1"), ["attack.fraction=-0.1", "0"]),
    "everybody malicious": (attack(*TRIM[1:], "--attack.fraction", "1"), ["attack.fraction=1.0", "less than 1"]),
    "more than everybody": (attack(*TRIM[1:], "--attack.fraction", "1.5"), ["attack.fraction=1.5", "less than 1"]),
    "fraction not a number": (attack(*TRIM[1:], "--attack.fraction", "nan"), ["attack", "fraction", "nan"]),
    "stretch too small": (attack(*TRIM[1:], "--attack.stretch", "1"), ["attack.stretch=1.0"]),
    "unknown knowledge": (attack(*TRIM[1:], "--attack.knowledge", "some"), ["knowledge", "some", "full", "partial"]),
    "negative epsilon": (attack("KrumAttack", "--attack.epsilon", "-1"), ["attack.epsilon=-1.0"]),
    "nothing poisoned": (attack("ScalingAttack", "--attack.poison_fraction", "0"), ["attack.poison_fraction=0.0"]),
    "scale of zero": (attack("ScalingAttack", "--attack.scale", "0"), ["attack.scale=0.0"]),
    "target class out of range": (
        attack("ScalingAttack", "--attack.target_class", "6"),
        ["attack.target_class=6", "5"],
    ),
    "unknown solver": (attack("AdaptiveAttack", "--attack.solver", "best"), ["solver", "best", "exact"]),
    # The rule
    "no bound": (rule("NormClipping"), ["aggregation.max_norm is missing", "--aggregation.help NormClipping"]),
    "no length of a step": (rule("SignSGD"), ["aggregation.step is missing", "--aggregation.help SignSGD"]),
    "negative noise": (
        rule("NormClipping", "--aggregation.max_norm", "1", "--aggregation.noise_std", "-1"),
        ["aggregation.noise_std=-1.0", "from 0"],
    ),
    "no step of Weiszfeld's": (rule("RFA", "--aggregation.num_steps", "0"), ["aggregation.num_steps=0", "1 or more"]),
    "no smoothing": (rule("GeometricMedian", "--aggregation.smoothing", "0"), ["aggregation.smoothing=0.0", "greater"]),
    "momentum of 1": (rule("CenteredClipping", "--aggregation.momentum", "1"), ["aggregation.momentum=1.0", "less"]),
    "more votes than clients": (rule("RLR", "--aggregation.threshold", "31"), ["threshold=31", "RLR of 30 updates"]),
    "trimming half": (rule("TrimmedMean", "--aggregation.trim", "15"), ["trim=15", "30", "14"]),
    "negative trim": (rule("TrimmedMean", "--aggregation.trim", "-1"), ["trim=-1", "0"]),
    "trimming as many as are malicious": (rule("TrimmedMean", *TRIM, "--attack.fraction", "0.5"), ["trim=15", "14"]),
    "too few clients for Krum": (rule("Krum", "--aggregation.num_byzantine", "28"), ["num_byzantine=28", "30", "27"]),
    "negative num_byzantine": (rule("Krum", "--aggregation.num_byzantine", "-1"), ["num_byzantine=-1"]),
    "no neighbours": (rule("Krum", "--aggregation.num_neighbours", "0"), ["aggregation.num_neighbours=0", "1 to 29"]),
    "too many neighbours": (
        rule("MultiKrum", "--aggregation.num_neighbours", "30"),
        ["aggregation.num_neighbours=30", "1 to 29"],
    ),
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
    "unknown variant": (fit("--aggregation.variant", "Best"), ["variant", "Best", "withServer", "ParNorm"]),
    # The data
    "no root dataset": (fit("--data.root_size", "0"), ["root_size=0", "1"]),
    "negative root dataset": (fit("--data.root_size", "-1"), ["root_size=-1", "1"]),
    "root dataset of everything": (fit("--data.root_size", "7723"), ["root_size=7723", "7722"]),
    "root dataset larger than the data": (fit("--data.root_size", "100000"), ["root_size=100000", "7722"]),
    "negative bias": (fit("--data.bias_probability", "-0.1"), ["bias_probability=-0.1", "0 to 1"]),
    "bias above one": (fit("--data.bias_probability", "1.1"), ["bias_probability=1.1", "0 to 1"]),
    "bias not a number": (fit("--data.bias_probability", "nan"), ["bias_probability", "nan"]),
    "too few of the biased class": (
        fit("--data.bias_probability", "1", "--data.root_size", "5000"),
        ["bias_probability=1.0", "root_size=5000", "class 1"],
    ),
    "biased class out of range": (fit("--data.biased_class", "6"), ["biased_class=6", "0 to 5"]),
    "negative biased class": (fit("--data.biased_class", "-1"), ["biased_class=-1", "0 to 5"]),
    "empty batches": (fit("--data.batch_size", "0"), ["batch_size=0", "1"]),
    "empty evaluation batches": (fit("--data.eval_batch_size", "0"), ["eval_batch_size=0", "1"]),
    "unknown policy for the stand-in": (fit("--data.stand_in", "maybe"), ["stand_in", "maybe", "if_unreachable"]),
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
    "unknown partition": (images("--data.partition", "Nope"), ["partition=Nope", "GroupPartition", "ShardPartition"]),
    "degree out of range": (images("--data.partition.noniid_degree", "2"), ["noniid_degree=2", "0 to 1"]),
    "fewer clients than groups": (images("--data.num_clients", "7"), ["num_clients=7", "8"]),
    "negative padding": (images("--data.inputs.crop_padding", "-1"), ["crop_padding=-1", "0 or more"]),
    "unknown input setting": (images("--data.inputs.rotate", "true"), ["inputs", "rotate"]),
    "missing file of inputs": (images("--data.inputs", "nope.yaml"), ["inputs=nope.yaml", "no such file"]),
    "file as data folder": (real("a_file"), ["data_dir", "a_file", "folder"]),
    "file as data folder, stand-in allowed": (
        fit("--data.stand_in", "if_unreachable", "--data.data_dir", "a_file"),
        ["data_dir", "a_file", "folder"],
    ),
    "truncated archive": (real("../data/truncated"), ["UCI HAR Dataset.zip", "truncated", "delete"]),
    "archive without a file": (real("../data/incomplete"), ["UCI HAR Dataset.zip", "test/X_test.txt"]),
    "folder without a file": (real("../data/folder"), ["UCI HAR Dataset", "y_train.txt"]),
    "column missing": (real("../data/narrow"), ["train/X_train.txt", "line 2", "560", "561"]),
    "NaN in the data": (real("../data/nan"), ["train/X_train.txt", "line 2", "nan", "column 561"]),
    "label out of range": (real("../data/label"), ["train/y_train.txt", "line 2", "7"]),
    "files of different lengths": (real("../data/uneven"), ["train/X_train.txt 1", "train/y_train.txt 2"]),
    "too few examples": (real("../data/few"), ["4 examples", "10299"]),
    # The model
    "more clients than there are": (fit("--model.clients_per_round", "31"), ["model.clients_per_round=31", "30"]),
    "no clients": (fit("--model.clients_per_round", "0"), ["model.clients_per_round=0", "1"]),
    "root batch too large": (
        fit("--model.root_batch_size", "101"),
        ["model.root_batch_size=101", "data.root_size=100"],
    ),
    "empty root batch": (fit("--model.root_batch_size", "0"), ["model.root_batch_size=0", "1"]),
    "no local steps": (fit("--model.local_steps", "0"), ["model.local_steps=0", "1"]),
    "unknown reduction": (fit("--model.loss_reduction", "max"), ["model.loss_reduction", "max", "sum", "mean"]),
    "unknown initialization": (fit("--model.initialization", "best"), ["model.initialization", "best", "xavier"]),
    "client_lr of zero": (fit("--model.client_lr", "0"), ["model.client_lr=0.0", "greater than 0"]),
    "negative client_lr": (fit("--model.client_lr", "-1"), ["model.client_lr=-1.0", "greater than 0"]),
    "client_lr not a number": (fit("--model.client_lr", "nan"), ["model.client_lr", "nan"]),
    "server_lr beside an optimizer": (
        fit("--model.server_lr", "2", "--model.server_optimizer", "torch.optim.Adam"),
        ["model.server_lr=2.0", "model.server_optimizer"],
    ),
    "milestone of 0": (fit("--model.lr_milestones", "[0]"), ["model.lr_milestones=[0]", "1 or more"]),
    "optimizer that evaluates the loss": (
        fit("--model.server_optimizer", "torch.optim.LBFGS"),
        ["model.server_optimizer", "closure"],
    ),
    "negative rate of an optimizer": (
        fit("--model.server_optimizer", "Adam", "--model.server_optimizer.lr", "-1"),
        ["model.server_optimizer", "-1"],
    ),
    "unknown setting of an optimizer": (
        fit("--model.server_optimizer", "Adam", "--model.server_optimizer.lrr", "1"),
        ["model.server_optimizer", "lrr"],
    ),
    "layer as optimizer": (fit("--model.server_optimizer", "torch.nn.Linear"), ["model.server_optimizer"]),
    "network of images for vectors": (fit("--model.network", "CNN"), ["model.network CNN", "[561]"]),
    "network of other features": (fit("--model.network.num_features", "10"), ["LogisticRegression", "561", "10"]),
    "network of other classes": (fit("--model.network.num_classes", "7"), ["LogisticRegression", "7", "HAR", "6"]),
    "network without features": (fit("--model.network.num_features", "0"), ["num_features=0"]),
    "network that gives two tensors": (fit("--model.network", "mistaken_code.Pair"), ["Pair gives a tuple", "[1, 6]"]),
    "network with random numbers": (fit("--model.network", "mistaken_code.Noisy"), ["Noisy", "random numbers"]),
    "network without parameters": (fit("--model.network", "torch.nn.Identity"), ["Identity", "parameters"]),
    # Checkpoints
    "missing checkpoint": (resume("nope.ckpt"), ["--ckpt_path", "nope.ckpt"]),
    "garbage as checkpoint": (resume("garbage.ckpt"), ["--ckpt_path", "garbage.ckpt"]),
    "half a checkpoint": (resume("half.ckpt"), ["--ckpt_path", "half.ckpt"]),
    "list as checkpoint": (resume("list.ckpt"), ["--ckpt_path", "list.ckpt"]),
    "weights alone as checkpoint": (resume("weights.ckpt"), ["--ckpt_path", "weights.ckpt"]),
    "checkpoint of another program": (resume("other_program.ckpt"), ["another model", "give the model.network"]),
    "checkpoint of another network": (
        resume(CHECKPOINT, "--model.network", "mistaken_code.Wide"),
        ["another model", "network.layers.1.bias"],
    ),
    "checkpoint of other data": (resume("other_data.ckpt"), ["data", "HAR (stand-in)", "MNIST"]),
    "checkpoint of another seed": (resume(CHECKPOINT, "--seed_everything", "1"), ["seed", "0", "1"]),
    "checkpoint with nothing left to do": (fit("--ckpt_path", CHECKPOINT), ["trainer.max_steps", "2"]),
    **{
        f"{command} without a checkpoint": (use(command), [f"flt {command}", "--ckpt_path"])
        for command in ("validate", "test", "predict")
    },
    "test of a missing checkpoint": (use("test", "--ckpt_path", "nope.ckpt"), ["--ckpt_path", "nope.ckpt"]),
    "test with other data": (use("test", "--ckpt_path", "other_data.ckpt"), ["data", "HAR (stand-in)", "MNIST"]),
    # The trainer
    "no rounds": (fit("--trainer.max_steps", "0"), ["trainer.max_steps=0", "1"]),
    "number of rounds not set": (fit("--trainer.max_steps", "-1"), ["trainer.max_steps=-1", "1"]),
    "negative number of rounds": (fit("--trainer.max_steps", "-5"), ["max_steps", "-5"]),
    "never evaluating": (fit("--trainer.val_check_interval", "0"), ["trainer.val_check_interval", "0"]),
    "evaluating within a round": (fit("--trainer.val_check_interval", "0.5"), ["val_check_interval"]),
    "never logging": (fit("--trainer.log_every_n_steps", "0"), ["trainer.log_every_n_steps", "0"]),
    "negative logging interval": (fit("--trainer.log_every_n_steps", "-1"), ["trainer.log_every_n_steps", "-1"]),
    **{
        f"precision {precision}": (fit("--trainer.precision", precision), ["trainer.precision", precision])
        for precision in ("16-mixed", "16", "16-true", "bf16-true", "64-true", "64", "nope")
    },
    "unknown accelerator": (fit("--trainer.accelerator", "abacus"), ["accelerator", "abacus"]),
    "unknown strategy": (fit("--trainer.strategy", "abacus"), ["strategy", "abacus"]),
    "no devices": (fit("--trainer.accelerator", "cpu", "--trainer.devices", "0"), ["devices", "0"]),
    "word for devices": (fit("--trainer.accelerator", "cpu", "--trainer.devices", "all"), ["devices"]),
    **{
        f"trainer.{name}": (fit(f"--trainer.{name}", value), [f"trainer.{name}={value}", remedy])
        for name, value, remedy in (
            ("max_epochs", "5", "trainer.max_steps"),
            ("min_epochs", "5", "trainer.max_steps"),
            ("min_steps", "5", "trainer.max_steps"),
            ("limit_train_batches", "0.5", "trainer.max_steps"),
            ("overfit_batches", "1", "trainer.max_steps"),
            ("reload_dataloaders_every_n_epochs", "1", "leave it out"),
            ("accumulate_grad_batches", "2", "model.local_steps"),
            ("gradient_clip_val", "1.0", "NormBoundedMean"),
            ("gradient_clip_algorithm", "norm", "NormBoundedMean"),
        )
    },
    "word for an evaluation's interval": (fit("--trainer.val_check_interval", "often"), ["val_check_interval=often"]),
    "precision of 8 bits": (fit("--trainer.precision", "8"), ["trainer.precision", "8", "32-true", "bf16-mixed"]),
    "word for the longest time": (fit("--trainer.max_time", "soon"), ["soon", "DD:HH:MM:SS"]),
    "more processes than cores": (
        fit("--trainer.accelerator", "cpu", "--trainer.devices", TOO_MANY),
        [f"trainer.devices={TOO_MANY}", "cores", "at most"],
    ),
    "other machines that nobody named": (fit("--trainer.num_nodes", "2"), ["trainer.num_nodes=2", "MASTER_ADDR"]),
    "no machines": (fit("--trainer.num_nodes", "0"), ["num_nodes", "0"]),
    "strategy for GPUs": (fit("--trainer.accelerator", "cpu", "--trainer.strategy", "fsdp"), ["fsdp", "GPU"]),
    "true as seed": (fit("--seed_everything", "true"), ["seed_everything=True", "give a number"]),
    "no seed": (fit("--seed_everything", "false"), ["seed_everything=False", "give a number"]),
    "fraction for the seed": (fit("--seed_everything", "1.5"), ["seed_everything", "int", "1.5"]),
    "negative seed": (fit("--seed_everything", "-1"), ["seed_everything", "-1"]),
    "seed too large": (fit("--seed_everything", "4294967296"), ["seed_everything", "4294967296"]),
    "bare bones": (fit("--trainer.barebones", "true"), ["barebones"]),
    "file as folder of runs": (fit("--trainer.logger.save_dir", "a_file"), ["a_file"]),
    # The other commands
    "data with an unknown option": (use("data", "--nope"), ["--nope", "flt data --help"]),
    "data with an unknown attack": (use("data", "--attack", "Nope"), ["attack=Nope", "flt data --help"]),
    "data without root": (use("data", "--data.root_size", "0"), ["root_size=0"]),
    "data with a target out of range": (
        use("data", "--attack", "ScalingAttack", "--attack.target_class", "9"),
        ["attack.target_class=9", "0 to 5"],
    ),
    "figure of an unknown kind": (use("data", "--plot", "a.docx"), ["plot='a.docx'", ".png"]),
    "figure in no folder": (use("data", "--plot", "nope/a.png"), ["plot='nope/a.png'", "no folder"]),
    "evaluation of a folder": (use("test", "--ckpt_path", "runs"), ["--ckpt_path runs"]),
    "evaluation with another seed": (
        use("predict", "--ckpt_path", CHECKPOINT, "--seed_everything", "3"),
        ["seed: 0 (checkpoint), 3 (given)", "--seed_everything"],
    ),
    "evaluation of another network": (
        use("validate", "--ckpt_path", CHECKPOINT, "--model.network", "CNN"),
        ["model.network CNN", "[561]"],
    ),
    "table without its file": (("table", "--out", "o"), ["title", "base", "axes", "flt table --help"]),
    "table into a file": (table("--out", "a_file"), ["out='a_file'", "folder"]),
    "table by nobody": (table("--out", "o", "--jobs", "0"), ["jobs=0", "1"]),
    "table on an unknown cluster": (table("--out", "o", "--launcher", "moon"), ["launcher", "moon", "slurm"]),
    "plot of nothing": (("plot", "nope"), ["nope/summary.json", "no such file"]),
    "plot of another program's summary": (
        ("plot", "foreign"),
        ["foreign/summary.json", "no summary of a run", "--resume foreign"],
    ),
    "plot of an unknown metric": (("plot", RUN, "--y", "[nope]"), ["y=nope", "testing_error_rate"]),
    "plot of a metric without brackets": (("plot", RUN, "--y", "nope"), ["y", "list", "nope"]),
    "dashboard of nobody": (("dashboard",), ["entity", "flt dashboard --help"]),
    "dashboard with an unknown option": (("dashboard", "--nope"), ["--nope"]),
    "second rule": (fit("--trainer.callbacks+", "Krum"), ["trainer.callbacks", "Krum", "FLTrust"]),
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_where_there_is_none(place: Path, accelerator: str) -> None:
    expect_one_line(place, fit("--trainer.accelerator", accelerator), ["accelerator", accelerator])
