"""What a rule can ask the server to compute with data of its own."""

from typing import Protocol

from torch import Tensor

from flt.clients.one_by_one import LocalUpdates
from flt.data.examples import ClientData, Examples


class Server(Protocol):
    """The server in a round: it evaluates and trains, and no answer leaves a trace in a state or a random stream."""

    @property
    def root(self) -> Examples:
        """The root dataset, as the data set keeps it."""

    def logits(self, updates: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Class scores of the models ``w + updates`` on the root dataset, as in an evaluation, without gradients.

        Args:
            updates: Shape ``[num_updates, num_params]``, or ``[num_params]`` of one.
            statistics: By how much the running statistics of batch normalisation differ from the global model's, shape
                ``[num_updates, num_statistics]`` or ``[num_statistics]``, as in ``round.statistics``; None for not at
                all.

        Returns:
            Shape ``[num_updates, num_examples, num_classes]``, or ``[num_examples, num_classes]`` of one.
        """

    def train(
        self, sets: ClientData, indices: Tensor | None = None, *, stand_for: Tensor | None = None
    ) -> LocalUpdates:
        """Trains the global model on data sets of the server's, on each as a client would that has it.

        They are trained on from no earlier round: without momentum, and with a new optimizer where clients have one.

        Args:
            sets: The data sets in one block.
            indices: Which of them, shape ``[num_trained]``; None for all. What a set is trained on depends on the seed,
                the round and its index alone.
            stand_for: Sizes of larger data sets, of which those to be trained on are samples, shape ``[num_trained]``:
                examples are repeated in a batch until it is as large as a client's with so many.

        Returns:
            Their updates, a row each, and the statistics that come with them.
        """

    def shared(self, fraction: float) -> ClientData:
        """A part of each client's local data from before any attack, drawn once a run, as if clients had shared it.

        Args:
            fraction: Part of a client's examples, above 0 and at most 1, rounded up.
        """

    def root_parts(self, num_parts: int) -> ClientData:
        """The root dataset dealt out at random to so many parts of nearly one size, the same in every round."""
