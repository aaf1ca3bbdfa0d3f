"""Examples in the docstrings of a package that needs an extra are run where that is installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("flwr") else ["flt/flower/*"]
