"""Finding, downloading and caching the files of a data set."""
