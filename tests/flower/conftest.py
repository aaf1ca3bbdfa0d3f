"""Tests of what needs Flower: it sends nothing home, writes nothing into the user's folder and logs no round."""

import logging
import os
import tempfile
import warnings
from importlib.util import find_spec

os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
os.environ["FLWR_HOME"] = tempfile.mkdtemp(prefix="flwr-")
if find_spec("flwr"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its command line's libraries say of each other when they are imported
        import flwr.clientapp
        import flwr.serverapp.strategy  # noqa: F401
    logging.getLogger("flwr").setLevel(logging.WARNING)  # it logs every round
