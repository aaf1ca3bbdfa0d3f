"""Tables of the clients' data for a terminal."""

from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from flt.display.overview import DataOverview

MOST_ROWS, FIRST_ROWS, LAST_ROWS = 100, 50, 10
MOST_COLUMNS = 12


def print_overview(overview: DataOverview, console: Console | None = None) -> None:
    """Prints a summary of the data and a table with a row for each client.

    Where the terminal has no room for a column for each class, the table has the number of classes that each client
    holds, its most frequent class and that class's share.

    Args:
        overview: The data in numbers.
        console: Where to print; None for standard output.
    """
    console = console or Console(markup=False)
    head = Table(title="Data", title_justify="left", title_style="bold", show_header=False)
    head.add_column(style="cyan", no_wrap=True)
    head.add_column()
    for name, value in describe(overview).items():
        head.add_row(name, value)
    console.print(head)
    table = _table_of_counts(overview)
    wide = console.measure(table, options=console.options.update(width=10_000)).maximum > console.width
    console.print(_table_of_shares(overview) if wide or overview.num_classes > MOST_COLUMNS else table)
    marked = f"* malicious ({overview.attack}); " if overview.num_malicious else ""
    console.print(f"{marked}total: all clients; root: the root dataset", highlight=False, markup=False)


def describe(overview: DataOverview) -> dict[str, str]:
    """Describes data, partition, root dataset and attack as lines of a table."""
    return {
        "data": f"{overview.title}: {overview.examples}",
        "clients": overview.clients,
        "root dataset": f"{int(overview.root_counts.sum()):,} examples, {overview.root}",
        "attack": f"{overview.attack}: {overview.who}",
        "seed": overview.seed,
    }


def _table_of_counts(overview: DataOverview) -> Table:
    table = _empty_table(overview, "Examples by class")
    for label in range(overview.num_classes):
        table.add_column(str(label), justify="right", no_wrap=True)
    _add_rows(table, overview, lambda counts: [str(count) for count in counts.tolist()])
    return table


def _table_of_shares(overview: DataOverview) -> Table:
    table = _empty_table(overview, "Classes held")
    table.add_column("classes", justify="right", no_wrap=True)
    table.add_column("most frequent", overflow="ellipsis", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)

    def cells(counts: Tensor) -> list[str]:
        held, total, most = int((counts > 0).sum()), int(counts.sum()), int(counts.argmax())
        return [str(held), overview.class_names[most], f"{counts[most] / total:.0%}"] if total else ["0", "-", "-"]

    _add_rows(table, overview, cells)
    return table


def _empty_table(overview: DataOverview, title: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
    )
    table.add_column("client", justify="right", no_wrap=True)
    table.add_column("", style="red", no_wrap=True)
    table.add_column("examples", justify="right", no_wrap=True)
    return table


def _add_rows(table: Table, overview: DataOverview, cells: Callable[[Tensor], list[str]]) -> None:
    """Adds the rows of all clients, or of the first and the last of them, then those of the sums."""
    num_clients, malicious = overview.num_clients, overview.malicious.tolist()
    first = num_clients if num_clients <= MOST_ROWS else FIRST_ROWS
    last = num_clients if num_clients <= MOST_ROWS else num_clients - LAST_ROWS
    for client in (*range(first), *range(last, num_clients)):
        if client == last:
            table.add_row("...", "", f"{last - first:,} more")
        counts = overview.counts[client]
        mark = "*" if malicious[client] else ""
        table.add_row(str(client), mark, str(int(counts.sum())), *cells(counts), end_section=client == num_clients - 1)
    for name, counts in (("total", overview.counts.sum(0)), ("root", overview.root_counts)):
        table.add_row(name, "", str(int(counts.sum())), *cells(counts))
