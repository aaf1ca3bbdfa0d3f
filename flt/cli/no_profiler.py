"""Lightning's profiler where nothing is to be profiled."""

from contextlib import AbstractContextManager, nullcontext

from lightning.pytorch.profilers import PassThroughProfiler


class NoProfiler(PassThroughProfiler):
    """Measures nothing, as Lightning's own default, for less: that one makes some seventy generators a round.

    They take a tenth of a millisecond, a twentieth of a short round.
    """

    _nothing = nullcontext("")

    def profile(self, action_name: str) -> AbstractContextManager[str]:  # type: ignore[override]  # a Generator there
        """A context that does nothing."""
        return self._nothing
