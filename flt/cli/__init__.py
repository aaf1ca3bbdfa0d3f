"""The command line of one run."""
