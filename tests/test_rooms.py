"""The layout: imports point down one order of rooms, and no two files import each other."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# From the top; a file may import its own room and those in lines below it. A file belongs to the longest name it has.
ROOMS = """
flt.main
flt.grid
flt.grid.leaderboard
flt.grid.execution
flt.grid.certificate
flt.grid.report
flt.grid.results
flt.grid.plan
flt.flower
flt.cli
callbacks
callbacks.reporting
flt.module
callbacks.preaggregation
callbacks.aggregation callbacks.attacks
flt.server flt.display
flt.hooks flt.streaming flt.judgement
flt.federation
flt.data.sets
flt.data
flt.data.stand_ins
flt.data.readers
flt.data.fetching flt.data.examples
flt.functional.attacks flt.functional.preaggregation
flt.functional.guarantees
flt.functional.aggregation
flt.functional
flt.clients flt.models flt.runs
flt.errors flt.random flt.files flt
"""
ORDER = {room: depth for depth, line in enumerate(ROOMS.split("\n")) for room in line.split()}
# Without the files that only hand names on, up or down.
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in ("flt", "callbacks")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
}


def imports(module: str) -> Iterator[str]:
    """What a file imports of this project: modules, or packages where it takes a name from a package."""
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith(("flt", "callbacks")))
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(("flt", "callbacks")):
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in FILES else str(node.module)


def room(module: str) -> str:
    """The room of a file."""
    return max((name for name in ORDER if f"{module}.".startswith(f"{name}.")), key=len)


def test_imports_point_down() -> None:
    pairs = [(module, imported) for module in FILES for imported in imports(module)]
    rooms = [(f"{module} imports {imported}", room(module), room(imported)) for module, imported in pairs]
    assert [what for what, own, other in rooms if own != other and ORDER[other] <= ORDER[own]] == []


def test_no_circles() -> None:
    order = TopologicalSorter({module: set(imports(module)) - {module} for module in FILES})
    assert len(list(order.static_order())) >= len(FILES)


def test_rooms_are_of_a_size_to_look_through() -> None:
    for folder in {path.parent for path in FILES.values()}:
        files = [path for path in FILES.values() if path.parent == folder]
        assert len(files) <= 15, f"{folder} holds {len(files)} files"
