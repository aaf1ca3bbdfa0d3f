"""The figure of scaling.py.

python benchmarks/scaling_plot.py benchmarks/results/scaling.json draws it anew from the numbers.
"""

import argparse
import io
import json
import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from flt.display.style import OTHERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what scaling.py wrote; the figure goes beside it")
    options = parser.parse_args()
    options.results.with_suffix(".png").write_bytes(draw(json.loads(options.results.read_text())))


def draw(results: dict[str, Any]) -> bytes:
    """Time and memory over clients, time over parameters, and what a second process brings, as a PNG."""
    figure = Figure(figsize=(11, 8.4), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06, hspace=0.06)
    time, memory, parameters, processes = figure.subplots(2, 2).flat
    draw_lines(time, results["clients"], "clients")
    time.set_title("Time over clients (FLTrust, 4 examples each)")
    draw_memory(memory, results["clients"])
    draw_lines(parameters, results["parameters"], "parameters")
    parameters.set_title("Time over parameters (10 clients)")
    draw_processes(processes, results["processes"])
    file = io.BytesIO()
    figure.savefig(file, dpi=130)
    return file.getvalue()


def draw_lines(axis: Axes, series: dict[str, Any], unit: str) -> None:
    """Seconds a round on logarithmic axes, a line for each of the series with its slope."""
    for (name, found), colour in zip(series.items(), OTHERS, strict=False):
        sizes = [each[unit] for each in found["sizes"]]
        seconds = [each["seconds"] for each in found["sizes"]]
        axis.plot(sizes, seconds, "o-", color=colour, markersize=4, label=f"{name}: slope {found['slope']:.2f}")
    axis.set(xscale="log", yscale="log", xlabel=unit, ylabel="time of a round")
    low, high = (math.log10(limit) for limit in axis.get_ylim())
    axis.set_ylim(10 ** math.floor(low), 10 ** math.ceil(high))  # so that powers of ten, which have labels, are there
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: as_time(value)))
    finish(axis)
    axis.legend(frameon=False, loc="upper left")


def draw_memory(axis: Axes, series: dict[str, Any]) -> None:
    """Peak memory, and what of it came with the rounds."""
    for (name, found), colour in zip(series.items(), OTHERS, strict=False):
        sizes = [each["clients"] for each in found["sizes"]]
        for key, style, label in (("peak_gib", "o-", "whole process"), ("rounds_gib", "s--", "rounds alone")):
            values = [each[key] for each in found["sizes"]]
            axis.plot(sizes, values, style, color=colour, markersize=4, label=f"{name}, {label}")
    axis.set(xscale="log", xlabel="clients", ylabel="peak memory in GiB", title="Memory over clients")
    axis.set_ylim(0, 1.5 * axis.get_ylim()[1])
    finish(axis)
    axis.legend(frameon=False, loc="upper left")


def draw_processes(axis: Axes, rules: dict[str, Any]) -> None:
    """A bar for each rule and number of processes, with the exchange on top."""
    labels, highest = [], 1000 * max(max(found["seconds"]) for found in rules.values())
    for rule, found in rules.items():
        for count, seconds in enumerate(found["seconds"], start=1):
            exchange = found["exchange_seconds"] if count > 1 else 0.0
            place = len(labels)
            axis.bar(place, 1000 * (seconds - exchange), color=OTHERS[0], width=0.6)
            axis.bar(place, 1000 * exchange, bottom=1000 * (seconds - exchange), color=OTHERS[1], width=0.6)
            text = f"{1 / seconds:.2f} rounds/s" + (f"\nexchange {1000 * exchange:.1f} ms" if count > 1 else "")
            axis.text(place, 1000 * seconds + 0.015 * highest, text, ha="center", va="bottom")
            labels.append(f"{rule}\n{('one process', 'two processes')[count - 1]}")
    axis.set_xticks(range(len(labels)), labels)
    axis.bar(0, 0, color=OTHERS[0], label="work")
    axis.bar(0, 0, color=OTHERS[1], label="exchange")
    axis.set(ylabel="time of a round in ms", title="One and two processes (CNN, one thread each)")
    axis.set(xlim=(-0.7, len(labels) - 0.3), ylim=(0, 1.35 * highest))
    finish(axis)
    axis.legend(frameon=False, loc="upper right", ncols=2)


def finish(axis: Axes) -> None:
    for own in (axis.xaxis, axis.yaxis):
        own.set_minor_formatter(NullFormatter())
    if axis.get_xscale() == "log":
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.grid(alpha=0.25, axis="y" if axis.get_xscale() == "linear" else "both")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def as_time(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 0.999:
            return f"{seconds * factor:,.0f} {unit}"
    return f"{seconds * 1e6:,.0f} µs"


if __name__ == "__main__":
    main()
