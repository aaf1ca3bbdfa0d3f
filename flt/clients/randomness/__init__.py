"""Random numbers of networks: the global states on which no round may depend, and the streams in their place."""
