"""A Flower grid that one malformed reply cannot stop."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from flwr.app import Error, Message
from flwr.serverapp import Grid

UNREADABLE = 0
"""Code of the error that takes the place of a reply that cannot be read."""


class PatientGrid:
    """Sends and receives as the grid within does, but pulls each reply by itself.

    Flower's own grids raise an exception where the content of a reply is no object of Flower's, and lose what they have
    pulled together with it. Here an error with the reason takes that reply's place, and the others arrive.

    Args:
        grid: The grid within; everything else is left to it.
        longest_wait: Seconds between two looks for replies, at most.
    """

    def __init__(self, grid: Grid, longest_wait: float = 3.0) -> None:
        self._grid = grid
        self._longest_wait = longest_wait

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Sends messages and waits for the replies.

        Args:
            messages: What is sent.
            timeout: Seconds after which no reply is waited for any more; None for no limit.

        Returns:
            The replies that have come.
        """
        sent = list(messages)
        pushed = zip(self._grid.push_messages(sent), sent, strict=False) if sent else ()
        pending = {message_id: message for message_id, message in pushed if message_id}
        end = None if timeout is None else time.monotonic() + timeout
        replies: list[Message] = []
        wait = min(0.05, self._longest_wait)
        while pending:
            for message_id, message in list(pending.items()):
                found = self._pulled(message_id, message)
                if found:
                    replies += found
                    del pending[message_id]
            if not pending or (end is not None and time.monotonic() >= end):
                break
            time.sleep(wait)
            wait = min(1.5 * wait, self._longest_wait)
        return replies

    def _pulled(self, message_id: str, message: Message) -> list[Message]:
        """The reply to a message, if it has come."""
        try:
            return list(self._grid.pull_messages([message_id]))
        except Exception as error:
            self._grid.get_node_ids()  # which raises if it is the connection, and not the reply
            reason = f"malformed ({type(error).__name__})"
            return [Message(Error(UNREADABLE, reason), reply_to=message)]
