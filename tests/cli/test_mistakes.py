"""Mistakes in the input: each is explained in one line, and no earlier run is touched.

A mistake is a line of `MISTAKES`, one for each class of them.
"""

import os
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import FLTRUST, SMALL, checkpoint_of, expected_warnings, files_in, run, train, working_in

pytestmark = expected_warnings

RUN = "runs/har/version_0"
CHECKPOINT = f"{RUN}/checkpoints/last.ckpt"

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
    "axis.yaml": f"title: T\nbase: {FLTRUST}\naxis:\n  rule: [Krum]\n",
    "resume.yaml": "resume: runs\n",
    "milestones.yaml": f"model:\n  lr_milestones: {list(range(1, 2000))}\n",
    "argument.yaml": "aggregation:\n  class_path: Krum\n  init_args:\n    f: 3\n",
}


DEEP = "[" * 5000
TOO_MANY = str(max(2, os.cpu_count() or 1) + 1)
# A line a mistake: the command, and what its message has to mention.
MISTAKES = """
flt => fit | validate | test | predict
flt train => train | fit | predict
har --model.client_lrr 3 => --model.client_lrr
har --attack.nope 3 => attack | nope
har --aggregation.num_byzantine 6 --aggregation Krum => aggregation | num_byzantine
flt fit --data HAR => model.network
har --agregation Krum => --agregation | did you mean --aggregation
har --trainer.max_step 3 => --trainer.max_step 3 | did you mean --trainer.max_steps
har '—model.client_lr' 1 => did you mean --model.client_lr
har --model.client_lr => --model.client_lr | expected one argument
har --model.client_lr '' => model.client_lr | float
flt fit own.yaml => own.yaml | --config own.yaml
flt --config har_fltrust.yaml fit => begin with flt fit
flt fit => model.network | data | flt fit --config
har --config twice.yaml => twice.yaml | client_lr | a second time | line 3
images --data.inputs '{flip: true, flip: false}' => data | flip
har --config binary.yaml => binary.yaml | UTF-8
har --config list.yaml => list.yaml | - model
har --config merge.yaml => merge.yaml | line 2
flt fit --config nope.yaml => nope.yaml
flt fit --config runs => runs
har --config key.yaml => client_lrr
har --config type.yaml => model.client_lr | fast
har --config argument.yaml => aggregation | 'f'
har --config include.yaml => data | no_such/har.yaml | file
har --config empty.yaml => empty.yaml
har --config null.yaml => aggregation
har --config laughs.yaml => laughs.yaml | 100,000 values
har --config recursive.yaml => recursive.yaml | 100,000 values
har --config deep.yaml => deep.yaml | line 1 | 50 collections
har --config large.yaml => large.yaml | 1,000,000 bytes
har --config digits.yaml => digits
flt fit --config pipe.yaml => config=pipe.yaml | is a pipe
har --config names_pipe.yaml => =pipe | is a pipe
har --aggregation.dict_kwargs.factor 3 => FLTrust | factor
har --aggregation mistaken_code.Untyped => aggregation.factor is missing
flt table --config laughs.yaml --out o => laughs.yaml | 100,000 values
flt table --config grid_of_laughs.yaml --out o => laughs.yaml | 100,000 values
table --out o --reference '{where: {}, file: binary.yaml}' => reference.file | binary.yaml | UTF-8
flt fit --aggregation.help Krumm => aggregation=Krumm is unknown: did you mean Krum
har --config resume.yaml => --resume RUN_FOLDER
har --aggregation Krumm => aggregation=Krumm is unknown: did you mean Krum
har --model.network Nope => model.network | Nope | LogisticRegression
har --attack ScalingAttack --attack.trigger Nope => trigger | Nope
har --aggregation TrimAttack => aggregation | TrimAttack
har --aggregation no_such_module.Rule => aggregation | no_such_module
har --aggregation mistaken_code.Rule => aggregation=mistaken_code.Rule | mistaken_code has no Rule: it has | Unfinished
har --aggregation mistaken_code.Unfinshed => no Unfinshed: did you mean mistaken_code.Unfinished
har --aggregation mistaken_code.py => aggregation=mistaken_code.py is code | as mistaken_code.CLASS
har --aggregation Bucketing --aggregation.rule mistaken_code.Unfinshed => aggregation.rule=mistaken_code.Unfinshed | did
har --aggregation Rejection => aggregation=Rejection | choose one of | Krum
har --attack OwnTraining => attack=OwnTraining | built on
har --aggregation mistaken_syntax.Rule => aggregation | mistaken_syntax.py | line 1
har --aggregation mistaken_code.Unrelated => aggregation | subclass of Aggregation
har --aggregation mistaken_code.Unfinished => aggregation=mistaken_code.Unfinished | abstract: define aggregate in it
har --aggregation mistaken_start.Rule => aggregation: | as soon as | mistaken_start.py, line 2
har --model.network mistaken_start.Net => as soon as | mistaken_start.py, line 2
har --aggregation mistaken_needs.Rule => aggregation: | no_such_package
har --aggregation krum => aggregation=krum | Krum
har --trainer.logger mistaken_code.Needy => Needy needs a package that is not installed | no_such_package
har --trainer.logger CSVLogger --trainer.logger.nope 3 => trainer.logger | nope
har --trainer.callbacks Nope => trainer.callbacks=Nope | import path
har --model.lr_milestones 5 => model.lr_milestones | list | 5
har --model.client_lr 0,1 => model.client_lr | float | 0,1
har --attack.fraction lots => attack | fraction | float | lots
har --seed_everything today => seed_everything | int | today
har --attack TrimAttack --attack.fraction -0.1 => attack.fraction=-0.1 | 0
har --attack TrimAttack --attack.start_round 1000 => attack.start_round=1000 | trainer.max_steps
har --attack AttackGroups => attack.attacks is missing | --attack.help AttackGroups
har --attack AttackGroups --attack.attacks+=TrimAttack --attack.attacks.fraction 2 => attack.fraction=2.0
har --attack AttackGroups --attack.attacks+=TrimAttac => TrimAttac
har --attack NoAttack --attack.every 2 => NoAttack | 'every' is not accepted
har --attack ScalingAttack --attack.trigger BlendedTrigger --attack.trigger.pattern a.png => pattern='a.png' | no such
har --attack ScalingAttack --attack.trigger CleanLabelTrigger => trigger | missing
har --attack ScalingAttack --attack.trigger PixelTrigger => attack.trigger.positions is missing | IN_TRIGGER
har --attack ScalingAttack --attack.trigger PixelTrigger --attack.trigger.nope 3 => attack.trigger=PixelTrigger | 'nope'
har --attack ScalingAttack --attack.trigger PixelTriger => attack.trigger=PixelTriger is unknown: did you mean PixelT
har --attack ScalingAttack --attack.copies -1 => attack=ScalingAttack: | 'copies' | flt fit --attack.help ScalingAttack
har --attack.trigger.help PixelTrigger => attack.trigger.help | no such setting | --attack CLASS
har --aggregation Bucketing --aggregation.rule NormClipping => aggregation.rule.max_norm is missing | IN_BUCKETING
har --aggregation Bucketing --aggregation.rule Krumm => aggregation.rule=Krumm is unknown: did you mean Krum
har --aggregation Bucketing --aggregation.rule nope.yaml => aggregation.rule=nope.yaml: there is no such file
har --aggregation Bucketing --aggregation.rule.nope 3 => aggregation.rule: no class is named | --aggregation.rule CLASS
har --aggregation.rule.nope 3 => aggregation.rule.nope: | no such setting | --aggregation CLASS
har --data.num_clients 5 => data=HAR: | 'num_clients' | flt fit --data.help HAR
har --data.stand_in perhaps => data.stand_in: expected one of 'never' | Got value: perhaps
har --data.seed lots => data.seed: expected int or null | lots
har --model.network torch.nn.Linear => model.network.in_features, | flt fit --model.network.help torch.nn.Linear says
har --trainer.callbacks EarlyStopping --trainer.callbacks.patience lots => callbacks.patience: expected int | lots
har --attack ScalingAttack --attack.target_class 6 => attack.target_class=6 | 5
har --attack SignFlip --attack.variant half => attack | SignFlip | variant | half
har --attack Chameleon => attack=Chameleon | ModelReplacement
har --aggregation TrimmedMean --attack TrimAttack --attack.fraction 0.5 => trim=15 | 14
har --aggregation NormClipping => aggregation.max_norm is missing | --aggregation.help NormClipping
har --aggregation AFA --model.clients_per_round 2 => AFA needs 3 | clients_per_round
har --aggregation Sageflow => aggregation.max_entropy | missing
har --aggregation.variant Best => variant | Best | withServer | ParNorm
har --data.root_size 7723 => data.root_size=7723 | 7722
har --data.root_size 0 => data.root_size=0 | 1 example
har --data.bias_probability 2 => data.bias_probability=2.0 | from 0 to 1
har --data.batch_size 0 => data.batch_size=0 | 1 example
har --data.seed -1 => data.seed=-1 | from 0 to 4294967295
har --data.seed 4294967296 => data.seed=4294967296 | from 0 to 4294967295
images --data.partition DirichletPartition --data.partition.alpha 0 => data.partition.alpha=0.0 | above 0
har --data.validation_fraction 1 => data.validation_fraction=1.0 | less than 1
har --data.validation_fraction 0.001 => data.validation_fraction=0.001 of 7723 training examples is none
har --data.validation_fraction 0.999 => data.validation_fraction=0.999 leaves client 0 none
har --data.long_tail 0 => data.long_tail=0.0 | above 0
har --data.long_tail 0.2 => data.long_tail=0.2 leaves none of the | training examples of class 5 | larger
har --data.num_added_clients -1 => data.num_added_clients=-1 | 0 or more
har --data.num_added_clients 4 --attack TrimAttack --attack.redraw true => attack.redraw=True | num_added_clients=4
har --data.num_added_clients 4 --attack TrimAttack --attack.knowledge partial => knowledge=partial | added_data=copies
har --data.num_added_clients 4 --attack LabelFlipping => num_added_clients=4 | LabelFlipping trains | added_data=copies
har --data.stand_in never => cannot be reached | UCI HAR Dataset.zip | data_dir | --data.stand_in=if_unreachable
har --data.root_path nope => data.root_path='nope' | no such folder or file
images --data.inputs nope.yaml => inputs=nope.yaml | no such file
har --data.stand_in never --data.data_dir a_file => data.data_dir | a_file | folder
har --data.stand_in never --data.data_dir ../data/truncated => UCI HAR Dataset.zip | truncated | delete
har --model.clients_per_round 31 => model.clients_per_round=31 | 30
har --model.client_momentum 1 => model.client_momentum=1.0 | at least 0 and less than 1
har --model.client_momentum -0.1 => model.client_momentum=-0.1 | at least 0
har --model.momentum_scaling nesterov => model.momentum_scaling | nesterov | damped
har --model.client_momentum 0.9 --model.client_optimizer torch.optim.Adam => client_momentum=0.9 | client_optimizer
har --model.client_optimizer torch.optim.SGD --model.client_optimizer.lr 0 => client_optimizer.lr=0.0 | greater than 0
har --model.client_optimizer torch.optim.Muon => model.client_optimizer | 2D
har --model.client_optimizer torch.nn.Linear => model.client_optimizer | torch.nn.Linear
har --model.client_optimizer_state old => model.client_optimizer_state | old | kept
har --model.server_optimizer torch.optim.LBFGS => model.server_optimizer | closure
har --model.server_optimizer Adam --model.server_optimizer.lrr 1 => model.server_optimizer | lrr
har --model.network CNN => model.network CNN | [561]
har --model.network.num_classes 7 => LogisticRegression | 7 | HAR | 6
har --model.network.num_features 0 => num_features=0
har --model.network mistaken_code.Pair => Pair gives a tuple | [1, 6]
har --model.network mistaken_code.Noisy => Noisy | random numbers
har --model.network torch.nn.Identity => Identity | parameters
longer --ckpt_path nope.ckpt => --ckpt_path | nope.ckpt
longer --ckpt_path garbage.ckpt => --ckpt_path | garbage.ckpt
longer --ckpt_path list.ckpt => --ckpt_path | list.ckpt
longer --ckpt_path other_program.ckpt => another model | give the model.network
longer --ckpt_path own.ckpt --model.network mistaken_code.Wide => another model | network.layers.1.bias
longer --ckpt_path own.ckpt --seed_everything 1 => seed | 0 | 1
longer --ckpt_path own.ckpt --data.seed 5 => data.seed: 0 (checkpoint), 5 | --data.seed
longer --ckpt_path own.ckpt --data.validation_fraction 0.1 => validation_fraction: 0.0 | apart
longer --ckpt_path own.ckpt --data.long_tail 0.5 => long_tail
har --ckpt_path own.ckpt => trainer.max_steps | 2
validate => flt validate | --ckpt_path
test --ckpt_path other_data.ckpt => data | HAR (stand-in) | MNIST
har --trainer.max_steps 0 => trainer.max_steps=0 | 1
har --trainer.val_check_interval 0.5 => val_check_interval
har --trainer.precision nope => precision | nope
har --trainer.accelerator abacus => accelerator | abacus
har --trainer.accelerator cpu --trainer.devices 0 => devices | 0
har --trainer.max_epochs 5 => trainer.max_epochs=5 | trainer.max_steps
har --trainer.max_epochs 0 => trainer.max_epochs=0 | trainer.max_steps
har --trainer.limit_train_batches 0 => trainer.limit_train_batches=0 | trainer.max_steps
har --trainer.check_val_every_n_epoch 2 => trainer.check_val_every_n_epoch=2 | trainer.val_check_interval
har --trainer.limit_val_batches 0 => trainer.limit_val_batches=0 | whole test set | trainer.val_check_interval
har --trainer.limit_val_batches 0.5 => trainer.limit_val_batches=0.5 | whole test set
validate --trainer.limit_val_batches 1 => trainer.limit_val_batches=1 | whole test set
test --trainer.limit_test_batches 0 => trainer.limit_test_batches=0 | whole test set
predict --trainer.limit_predict_batches 3 => trainer.limit_predict_batches=3 | whole test set
har --trainer.gradient_clip_val 1.0 => trainer.gradient_clip_val=1.0 | NormBoundedMean
har --trainer.val_check_interval often => val_check_interval=often
har --trainer.precision 8 => trainer.precision | 8 | 32-true | bf16-mixed
har --trainer.num_nodes 2 => trainer.num_nodes=2 | MASTER_ADDR
har --trainer.accelerator cpu --trainer.strategy fsdp => fsdp | GPU
har --seed_everything false => seed_everything=False | give a number
har --seed_everything -1 => seed_everything | -1
har --trainer.barebones true => barebones
har --trainer.logger.save_dir a_file => a_file
data --plot a.docx => plot='a.docx' | .png
test --ckpt_path runs => --ckpt_path runs
flt table --out o --config axis.yaml => axis | did you mean --axes
table --out a_file => out='a_file' | folder
table --out o --jobs 0 => jobs=0 | 1
flt plot nope => nope/summary.json | no such file
test --ckpt_path runs/har => --ckpt_path runs/har is a folder
flt plot foreign => foreign/summary.json | no summary of a run | --resume foreign
flt plot runs/har/version_0 --y '[nope]' => y=nope | testing_error_rate
flt dashboard => entity | flt dashboard --help
har --trainer.callbacks+ Krum => trainer.callbacks | Krum | FLTrust
har --trainer.callbacks LearningRateFinder => holds LearningRateFinder | model.client_lr
har --trainer.callbacks EarlyStopping --trainer.callbacks.monitor attack_success_rate => monitors attack_success_rate
har --trainer.callbacks EarlyStopping --trainer.callbacks.monitor validation_error_rate => data.validation_fraction
har --trainer.callbacks EarlyStopping --trainer.callbacks.monitor nope => monitors nope | testing_error_rate
har --trainer.callbacks ModelCheckpoint --trainer.callbacks.monitor nope => ModelCheckpoint monitors nope | testing_loss
har --trainer.callbacks+ ModelCheckpoint --trainer.callbacks+ ModelCheckpoint => more than one stateful callback
har --trainer.logger CSVLogger --trainer.logger.save_dir r --trainer.logger.flush_logs_every_n_steps 0 => =0 | 1 or more
har --trainer.logger.save_dir memory://runs => trainer.logger.save_dir=memory://runs | folder of this machine
har --model.local_steps 4611686018427387904 => model.local_steps=4611686018427387904 would need | GB
har --model.local_epochs 4611686018427387904 => model.local_epochs=4611686018427387904 would need | GB
har --model.lr_schedule lightning.pytorch.cli.ReduceLROnPlateau --model.lr_schedule.monitor a => by a metric
har --model.lr_schedule torch.optim.lr_scheduler.ReduceLROnPlateau => ReduceLROnPlateau | goes by a metric
har --model.lr_schedule StepLR --model.lr_schedule.step 2 => model.lr_schedule | step
har --model.lr_schedule StepLR => lr_schedule | step_size
har --model.lr_schedule torch.optim.lr_scheduler.OneCycleLR --model.lr_schedule.max_lr 1 => lr_schedule | total_steps
har --model.lr_schedule PolynomialLR --model.lr_schedule.total_iters 1 => PolynomialLR | ends after 1 of the 2
har --model.lr_schedule ExponentialLR --model.lr_schedule.gamma 1e60 => in round 1 | 3.4e+38
har --model.lr_schedule LogisticRegression => model.lr_schedule
har --model.proximal -1 => model.proximal=-1.0 | from 0
har --model.clip_gradient 0 => model.clip_gradient=0.0 | greater than 0
har --model.local_epochs 0 => model.local_epochs=0 | at least 1
har --model.server_lr 1e308 => model.server_lr=1e+308 | float32
har --model.lr_gamma 1e30 --model.lr_milestones '[1, 1, 1]' => lr_gamma=1e+30 | after 3 of
har --config milestones.yaml => milestones.yaml | a list of more than 1,000 entries
"""
AXES = "{data.root_size: [50, 100]}"
BEFORE = {
    "flt": (),
    "har": ("fit", "--config", FLTRUST, *SMALL),
    "longer": ("fit", "--config", FLTRUST, *SMALL, "--trainer.max_steps", "4"),
    "images": ("fit", "--config", "chmnist_fltrust.yaml", *SMALL, "--model.lr_milestones", "null"),
    "table": ("table", "--title", "T", "--base", FLTRUST, "--axes", AXES),
    **{
        each: (each, "--config", FLTRUST, "--data.stand_in", "always")
        for each in ("data", "validate", "test", "predict")
    },
}
"""What the first word of a mistake stands for."""


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
    Path("own.ckpt").write_bytes(content)
    weights = {"layer.weight": torch.zeros(2)}
    torch.save([weights], "list.ckpt")
    torch.save({**good, "state_dict": weights}, "other_program.ckpt")
    torch.save({**good, "flt": {**good["flt"], "data": "MNIST"}}, "other_data.ckpt")


def _write_data(base: Path) -> None:
    row = " ".join(["0.5"] * 561) + "\n"
    good = {f"{part}/X_{part}.txt": 2 * row for part in ("train", "test")}
    good |= {f"{part}/{kind}_{part}.txt": "1\n2\n" for part in ("train", "test") for kind in ("y", "subject")}
    whole = _write_archive(base / "truncated", good)
    whole.write_bytes(whole.read_bytes()[:-100])


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


INTERNALS = ("NoneType", "NestedArg", "Namespace(", "Subtypes", "ArgumentError", "typing.")
HELP = {
    "IN_TRIGGER": "flt fit --attack ScalingAttack --attack.trigger.help PixelTrigger",
    "IN_BUCKETING": "flt fit --aggregation Bucketing --aggregation.rule.help NormClipping",
}
"""Commands that messages name, and that work, by what stands for them in `MISTAKES`."""


def expect_one_line(place: Path, arguments: tuple[str, ...], mentioned: list[str]) -> None:
    before = files_in(place)
    ended = run(*arguments)
    lines = ended.errors.splitlines()
    assert (ended.status, len(lines)) == (2, 1), ended.errors
    assert lines[0].startswith("flt: error: ")
    assert [each for each in INTERNALS if each in lines[0]] == []
    missing = [each for each in mentioned if HELP.get(each, each) not in lines[0]]
    assert not missing, f"{missing} not in: {lines[0]}"
    after = files_in(place)
    assert after.keys() - before.keys() == set(), "the command left something behind"
    assert after == before


@pytest.mark.parametrize("mistake", MISTAKES.strip().splitlines())
def test_mistake(place: Path, mistake: str) -> None:
    command, mentioned = mistake.split(" => ")
    first, *words = shlex.split(command)
    expect_one_line(place, (*BEFORE[first], *words), mentioned.split(" | "))


@pytest.mark.parametrize("command", [*HELP.values(), "flt fit --model.network.help torch.nn.Linear"])
def test_a_command_that_a_message_names_shows_the_help(place: Path, command: str) -> None:
    ended = run(*shlex.split(command)[1:])
    assert (ended.status, ended.errors, "required" in ended.output) == (0, "", True)


@pytest.mark.parametrize(
    ("words", "mentioned"),
    [
        (("--model", DEEP), ["model"]),
        (("--attack", "a\0b"), ["attack", "null byte"]),
        (("--trainer.accelerator", "cpu", "--trainer.devices", TOO_MANY), [f"trainer.devices={TOO_MANY}", "at most"]),
    ],
    ids=["deep", "NUL", "processes"],
)
def test_mistake_that_is_no_text(place: Path, words: tuple[str, ...], mentioned: list[str]) -> None:
    expect_one_line(place, (*BEFORE["har"], *words), mentioned)
