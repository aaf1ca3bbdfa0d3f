"""Numbers of Cao et al., FLTrust, NDSS 2021: Tables III to V, as ``tables.csv``."""
