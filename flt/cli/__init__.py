"""The command line of one run."""

from flt.cli.deferred import defer

defer()  # before anything here imports Lightning
