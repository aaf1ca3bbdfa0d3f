"""Grids of runs: rules by attacks by settings by seeds, their tables and figures."""

from flt.grid.execution.launchers import Launcher, Local, Ray, Slurm
from flt.grid.execution.run import run_grid
from flt.grid.plan.findings import Breaks, Compare, Select
from flt.grid.plan.grid import Grid, Reference
from flt.grid.plan.outline import Figure, Outline
from flt.grid.results.results import Results

__all__ = [
    "Breaks",
    "Compare",
    "Figure",
    "Grid",
    "Launcher",
    "Local",
    "Outline",
    "Ray",
    "Reference",
    "Results",
    "Select",
    "Slurm",
    "run_grid",
]
