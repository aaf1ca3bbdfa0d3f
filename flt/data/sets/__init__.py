"""The data sets that a configuration names, one file each."""
