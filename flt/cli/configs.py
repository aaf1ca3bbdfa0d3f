"""Configuration files before any of them is parsed: where they lie, and what no parser should be given."""

import json
import os
import stat
from pathlib import Path

import yaml

import flt
from flt.errors import InputError

OWN = Path(flt.__file__).parent / "configs"
"""The configurations that come with the program; in a clone a link to ``configs``."""

ENDINGS = (".yaml", ".yml", ".json")
EARLIER = {"LabelFlippingAttack": "LabelFlipping"}
"""Names that classes had in version 0.1, and what they are called."""

LARGEST = 1_000_000  # bytes of a file
DEEPEST = 50  # collections within each other
LONGEST = 1_000  # entries of a list; reading it takes jsonargparse a time that grows with their square
MOST = 100_000  # values, those that aliases repeat included
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(path: Path, name: str) -> str:
    """The content of a text file that a person wrote and the setting ``name`` names.

    Raises:
        InputError: If it is no such file: a folder, a pipe, a device, very large, not in UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "a pipe" if path.is_fifo() else "a device"
            raise InputError(f"{name}={path} is {kind}: give a file")
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(f"{name}={path} holds more than {LARGEST:,} bytes: a file of settings is smaller")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{name}={path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}={path} is no text in UTF-8 ({error.reason}): give a text file") from error


def check_file(path: Path, name: str, seen: frozenset[Path] = frozenset()) -> None:
    """Checks a configuration file that the setting ``name`` names, and those that it names, before any is parsed.

    Raises:
        InputError: If one is no text, is no YAML, or holds what `words_of` refuses.
    """
    try:
        words = words_of(read_text(path, name), f"{name}={path}")
    except yaml.YAMLError as error:
        raise InputError(f"{name}={path} is no YAML: {error}") from error
    for word in words:
        check_named(word.value, name, path.parent, seen | {path.resolve()})


def check_named(word: str, name: str, folder: Path = Path(), seen: frozenset[Path] = frozenset()) -> None:
    """Checks the configuration file that a value names, if it names one; a pipe would be waited for without end."""
    path = folder / os.path.expanduser(word)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # not the name of a file
        return
    if stat.S_ISFIFO(mode):
        raise InputError(f"{name}={word} is a pipe: give a file")
    if word.endswith(ENDINGS) and stat.S_ISREG(mode) and path.resolve() not in seen:
        check_file(path, name, seen)


def words_of(text: str, name: str) -> list[yaml.ScalarNode]:
    """The plain values of a YAML text, in their order; ``name`` precedes what is wrong with it.

    Raises:
        InputError: If collections lie too deep within each other, aliases make a giant of the text, a list is very
            long, or a key stands twice in a mapping.
        YAMLError: If the text is no YAML.
    """
    words, sizes = list[yaml.ScalarNode](), dict[int, int]()

    def size(node: yaml.Node, depth: int) -> int:
        if id(node) in sizes:  # an alias
            return sizes[id(node)]
        sizes[id(node)] = MOST + 1  # until it is known, as what holds itself has no end
        if isinstance(node, yaml.ScalarNode):
            words.append(node)
        where = f"{name}: line {node.start_mark.line + 1}"
        children = _children(node, name)
        if depth > DEEPEST:
            raise InputError(f"{where}: {DEEPEST} collections lie within each other: settings need a few")
        sizes[id(node)] = 1 + sum(size(child, depth + 1) for child in children)
        if sizes[id(node)] > MOST:
            raise InputError(f"{where}: more than {MOST:,} values, those that aliases repeat included")
        return sizes[id(node)]

    root = yaml.compose(text, Loader=LOADER)
    if root is not None:
        size(root, 1)
    return words


def _children(node: yaml.Node, name: str) -> list[yaml.Node]:
    """What a node of a YAML text holds, keys included."""
    if isinstance(node, yaml.MappingNode):
        keys = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise InputError(f"{name}: line {key.start_mark.line + 1}: {key.value} stands here a second time")
            keys.add(str(key.value))
        return [each for pair in node.value for each in pair]
    if isinstance(node, yaml.SequenceNode):
        if len(node.value) > LONGEST:
            raise InputError(f"{name}: line {node.start_mark.line + 1}: a list of more than {LONGEST:,} entries")
        return list(node.value)
    return []


def own_config(name: str) -> Path | None:
    """The configuration of this program that a name such as ``har_fltrust.yaml`` means where no such file exists."""
    path = Path(name)
    if path.is_absolute() or not name.endswith(ENDINGS) or ".." in path.parts or path.exists():
        return None
    found = OWN / (path.relative_to("configs") if path.parts[0] == "configs" else path)
    return found if found.is_file() else None


def meant(name: str) -> str | None:
    """What a name stands for: a configuration of this program, or a class by its name of today; None for itself."""
    found = own_config(name)
    return EARLIER.get(name) if found is None else str(found)


def with_own_configs(text: str) -> str:
    """A YAML text in which the names of this program's own configurations are full paths, those of classes today's."""
    pieces, end = [], 0
    for word in words_of(text, "the settings"):
        found = meant(word.value)
        if found is not None:
            pieces += [text[end : word.start_mark.index], json.dumps(found)]
            end = word.end_mark.index
    return "".join([*pieces, text[end:]])
