"""What a configuration plugs into a run: aggregation rules, attacks, and what records and shows the run."""

from callbacks import aggregation, attacks, preaggregation, reporting
from callbacks.aggregation import *  # noqa: F403
from callbacks.attacks import *  # noqa: F403
from callbacks.preaggregation import *  # noqa: F403
from callbacks.reporting import *  # noqa: F403

__all__: list[str] = []
__all__ += aggregation.__all__
__all__ += attacks.__all__
__all__ += preaggregation.__all__
__all__ += reporting.__all__
