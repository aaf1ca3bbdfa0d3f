"""A Flower federation in one process: a grid that calls each node's client app, with neither sockets nor Ray."""

from collections.abc import Callable, Iterable, Sequence

from flwr.app import Array, ArrayRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid

try:  # newer versions of Flower ask the process which run it belongs to
    from flwr.supercore.task_identity import TaskIdentity

    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
except ImportError:
    pass

Node = Callable[[Message, Context], Message]


class LocalGrid(Grid):
    """Nodes 101, 102, ... by partition, each with its context; a message is answered when it is pulled.

    Args:
        nodes: The client app of each node.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.apps = {101 + place: app for place, app in enumerate(nodes)}
        self.contexts = {
            node: Context(
                run_id=1,
                node_id=node,
                node_config={"partition-id": node - 101, "num-partitions": len(nodes)},
                state=RecordDict(),
                run_config={},
            )
            for node in self.apps
        }
        self.sent: dict[str, Message] = {}
        self.gone: set[int] = set()

    def set_run(self, run: object) -> None:
        pass

    @property
    def run(self) -> None:
        return None

    def create_message(self, *args: object, **settings: object) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> list[int]:
        return [node for node in self.apps if node not in self.gone]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        ids = []
        for message in messages:
            ids.append(f"{len(self.sent)}")
            message.metadata.__dict__["_message_id"] = ids[-1]
            self.sent[ids[-1]] = message
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        found = []
        for message_id in message_ids:
            message = self.sent.pop(message_id)
            node = message.metadata.dst_node_id
            if node in self.gone:
                reply = Message(Error(3, "node unavailable"), reply_to=message)
            else:
                reply = self.apps[node](message, self.contexts[node])
            reply.metadata.__dict__["_src_node_id"] = node
            found.append(reply)
        return found

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        return self.pull_messages(self.push_messages(messages))


def reply_to(message: Message, arrays: dict[str, object], **metrics: float) -> Message:
    """A reply with these NumPy arrays and metrics."""
    records = {name: Array(value) for name, value in arrays.items()}
    content = RecordDict({"arrays": ArrayRecord(records), "metrics": MetricRecord(metrics)})
    return Message(content, reply_to=message)
