"""Grids of runs: rules by attacks by settings by seeds, their tables and figures."""

from flt.grid.grid import Grid, Reference
from flt.grid.launchers import Launcher, Local, Ray, Slurm
from flt.grid.outline import Figure, Outline
from flt.grid.run import run_grid
from flt.grid.study import Results

__all__ = ["Figure", "Grid", "Launcher", "Local", "Outline", "Ray", "Reference", "Results", "Slurm", "run_grid"]
