"""Data sets that a process keeps from run to run."""

from collections.abc import Hashable

from torch import Tensor

from flt.data.datamodule import FederatedDataModule

MOST_BYTES = 2**27
"""How large the kept data sets may be together; loading a larger one takes little of the runs that use it."""


class KeptData:
    """The data sets that were used last, each by the settings that made it, as many as ``most_bytes`` hold.

    A data module is set up once, and what it then holds is never changed: another run with its settings may have it.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self._modules: dict[Hashable, FederatedDataModule] = {}

    def __len__(self) -> int:
        return len(self._modules)

    def take(self, settings: Hashable, made: FederatedDataModule) -> FederatedDataModule:
        """The data module that is kept for some settings; without one that which they have just ``made``.

        It is the taker's then: a run that fails, and never gives it back, leaves nothing behind.
        """
        kept = self._modules.pop(settings, None)
        if kept is None:
            return made
        kept.warn_of_stand_in()
        return kept

    def keep(self, settings: Hashable, module: FederatedDataModule) -> None:
        """Keeps the data module of a run that has ended, and lets go of the run and of those unused for longest."""
        module.trainer = None
        if num_bytes(module) <= self.most_bytes:
            self._modules[settings] = module
        while sum(map(num_bytes, self._modules.values())) > self.most_bytes:
            del self._modules[next(iter(self._modules))]


def num_bytes(data: FederatedDataModule) -> int:
    """What the examples of a data set take; one that is shared by several of its parts counts once."""
    parts = [part for part in (data.clients, data.root, data.test, data.validation) if part is not None]
    tensors = [tensor for part in parts for tensor in vars(part).values() if isinstance(tensor, Tensor)]
    return sum({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}.values())
