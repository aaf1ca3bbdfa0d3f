"""Finds, downloads and caches the files of a data set."""
