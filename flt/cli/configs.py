"""Configuration files before any of them is parsed: where they lie, and what no parser should be given."""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

import flt
from flt.errors import InputError

OWN = Path(flt.__file__).parent / "configs"
"""The configurations that come with the program; in a clone a link to ``configs``."""

ENDINGS = (".yaml", ".yml", ".json")
LARGEST = 1_000_000  # bytes of a file
DEEPEST = 50  # collections within each other
LONGEST = 1_000  # entries of a list; reading it takes jsonargparse a time that grows with their square
MOST = 100_000  # values, those that aliases repeat included
LONGEST_NUMBER = 400  # characters; the largest float has 309
NUMBER = re.compile(rf"[-+]?[0-9][0-9a-fA-FxoXO_.:+-]{{{LONGEST_NUMBER},}}")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Collection:
    """A mapping or sequence that is being read."""

    is_mapping: bool
    anchor: str | None
    size: int = 1
    num_children: int = 0
    keys: set[str] = field(default_factory=set)


def read_text(path: Path, name: str) -> str:
    """The content of a text file that a person wrote.

    Args:
        path: The file.
        name: The setting that names it.

    Raises:
        InputError: If it is no such file: a folder, a pipe, a device, very large, not in UTF-8.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
            raise InputError(f"{name}={path} is {kind}: give a file")
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{name}={path}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise InputError(f"{name}={path} holds more than {LARGEST:,} bytes: a file of settings is smaller")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}={path} is no text in UTF-8 ({error.reason}): give a text file") from error


def check_file(path: Path, name: str, seen: frozenset[Path] = frozenset()) -> None:
    """Checks a configuration file and those that it names, before any is parsed.

    Args:
        path: The file.
        name: The setting that names it.
        seen: Files that name this one.

    Raises:
        InputError: If one is no text, is no YAML, or holds what `words_of` refuses.
    """
    text = read_text(path, name)
    try:
        words = [event.value for event in words_of(text)]
    except yaml.YAMLError as error:
        raise InputError(f"{name}={path} is no YAML: {' '.join(str(error).split())}") from error
    except InputError as error:
        raise InputError(f"{name}={path}: {error}") from error
    for word in words:
        nested = path.parent / Path(word).expanduser() if word.endswith(ENDINGS) else path
        if nested.is_file() and nested.resolve() not in seen | {path.resolve()}:
            check_file(nested, name, seen | {path.resolve()})
        else:
            check_word(word, name, path.parent)


def check_word(word: str, name: str, folder: Path = Path()) -> None:
    """Raises an `InputError` for a value that cannot be opened or shown: a pipe, a NUL, a number of endless digits."""
    if "\0" in word:
        raise InputError(f"{name}={word!r} holds a NUL character: leave it out")
    if NUMBER.fullmatch(word):
        raise InputError(f"{name}={word[:20]}... is a number of {len(word):,} characters: give a smaller one")
    if len(word) < 1000 and "\n" not in word:
        try:
            is_pipe = stat.S_ISFIFO(os.stat(folder / word).st_mode)
        except (OSError, ValueError):  # not the name of a file
            return
        if is_pipe:
            raise InputError(f"{name}={word} is a pipe: give a file")


def words_of(text: str) -> Iterator[yaml.ScalarEvent]:
    """The plain values of a YAML text, in their order; reads it without making anything of it.

    Raises:
        InputError: If collections lie too deep within each other, an alias stands within what it repeats, aliases
            make a giant of the text, or a key stands twice in a mapping.
        YAMLError: If the text is no YAML.
    """
    stack, sizes = [_Collection(False, None)], dict[str, int]()
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            stack[-1].size += ended.size
            if ended.anchor is not None:
                sizes[ended.anchor] = ended.size
        elif isinstance(event, yaml.NodeEvent):
            line = f"line {event.start_mark.line + 1}"
            _count_in(stack[-1], event, line)
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(_Collection(isinstance(event, yaml.MappingStartEvent), event.anchor))
            elif isinstance(event, yaml.AliasEvent):
                if any(event.anchor == each.anchor for each in stack):
                    raise InputError(f"{line}: *{event.anchor} stands within &{event.anchor}, which it repeats")
                stack[-1].size += sizes.get(event.anchor, 1)
            else:
                stack[-1].size += 1
                yield event
            if len(stack) > DEEPEST:
                raise InputError(f"{line}: {DEEPEST} collections lie within each other: settings need a few")
        if stack[-1].size > MOST:
            raise InputError(f"more than {MOST:,} values, those that aliases repeat included: settings are fewer")


def _count_in(parent: _Collection, event: yaml.NodeEvent, line: str) -> None:
    """Counts a node among its parent's; as a key, it must be new."""
    if parent.is_mapping and parent.num_children % 2 == 0 and isinstance(event, yaml.ScalarEvent):
        if event.value in parent.keys:
            raise InputError(f"{line}: {event.value} stands here a second time")
        parent.keys.add(event.value)
    parent.num_children += 1
    if not parent.is_mapping and parent.num_children > LONGEST:
        raise InputError(f"{line}: a list of more than {LONGEST:,} entries: settings are fewer")


def own_config(name: str) -> Path | None:
    """The configuration of this program that a name means where no such file exists; None if it means none.

    Args:
        name: Such as ``har_fltrust.yaml`` or ``configs/attack/trim.yaml``.
    """
    path = Path(name)
    if path.is_absolute() or not name.endswith(ENDINGS) or ".." in path.parts or path.exists():
        return None
    found = OWN / (path.relative_to("configs") if path.parts[0] == "configs" else path)
    return found if found.is_file() else None


def with_own_configs(text: str) -> str:
    """A YAML text in which the names of this program's own configurations are full paths."""
    pieces, end = [], 0
    try:
        events = list(words_of(text))
    except yaml.YAMLError:  # told by who parses it
        return text
    for event in events:
        found = own_config(event.value)
        if found is not None:
            pieces += [text[end : event.start_mark.index], json.dumps(str(found))]
            end = event.end_mark.index
    return "".join([*pieces, text[end:]])
