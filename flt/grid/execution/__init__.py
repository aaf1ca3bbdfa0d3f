"""Running a grid: one cell as a run, launchers, the view while it runs."""
