"""The page of a grid while the grid goes on, for browsers of this machine."""

import errno
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from flt.errors import InputError
from flt.grid.report.document import document_of
from flt.grid.report.page import page_of
from flt.grid.results.results import Results

HOST = "127.0.0.1"  # the loopback address: nobody else's machine gets an answer
RECENT, PATIENCE = 5.0, 4.0  # seconds: since when a page is still looked at, and how long it may take to see the end


class LivePage:
    """Serves the page of what it was shown last, from its start to its end as a context manager.

    Args:
        port: Where to listen; 0 is any port that is free.

    Raises:
        InputError: If it cannot listen there.
    """

    def __init__(self, port: int) -> None:
        if not 0 <= port < 2**16:
            raise InputError(f"serve={port} is no port: give one from 1024 to 65535, or 0 for any that is free")
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler_for(self))
        except OSError as error:
            why = "in use already" if error.errno == errno.EADDRINUSE else f"not to be had ({error.strerror})"
            raise InputError(
                f"serve={port}: the port is {why}: name another, or 0 for any that is free (--serve 0)"
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._lock, self._making, self._end_seen = threading.Lock(), threading.Lock(), threading.Event()
        self._results: Results | None = None
        self._page, self._version, self._is_over, self._asked = "", 0, False, 0.0

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self._server.server_port}/"

    def show(self, results: Results) -> None:
        """Serves these results from now on."""
        with self._lock:
            self._results, self._page, self._version = results, "", self._version + 1

    def __enter__(self) -> "LivePage":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops; where nothing has gone wrong, once a page that is looked at knows that this is the end."""
        self._is_over = True
        if error is None and time.monotonic() - self._asked < RECENT:
            self._end_seen.wait(PATIENCE)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def state(self) -> dict[str, Any]:
        """What a page asks for again and again: whether there is news, and how far the grid is."""
        self._asked = time.monotonic()
        with self._lock:
            results, version = self._results, self._version
        if self._is_over:
            self._end_seen.set()
        text = "its settings are being read"
        if results is not None:
            failed = f", {len(results.failures)} failed" if results.failures else ""
            all_of = len(results.rows) + len(results.failures) + results.left
            text = f"{len(results.rows)} of {all_of} runs are finished{failed}"
        return {"version": version, "is_over": self._is_over, "text": text}

    def page(self) -> str:
        """The page, which is made when it is first asked for after a change."""
        with self._making:  # by one request at a time, and without the lock that the grid waits for
            with self._lock:
                results, version, page = self._results, self._version, self._page
            if not page:
                page = page_of(document_of([results] if results else [], None if results else "Grid"), is_live=True)
                with self._lock:
                    self._page = page if self._version == version else ""
            return page


def _handler_for(live: LivePage) -> type[BaseHTTPRequestHandler]:
    """What answers the requests of one server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}  # type: ignore[attr-defined]
            path = self.path.partition("?")[0]
            if self.headers.get("Host") not in allowed:  # a name of somebody's that leads here
                self.send_error(HTTPStatus.FORBIDDEN)
            elif path == "/state":
                self._send("application/json", json.dumps(live.state()))
            elif path == "/":
                try:
                    self._send("text/html", live.page())
                except InputError as error:  # a run's folder that somebody has damaged
                    self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=str(error))
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

        def _send(self, kind: str, text: str) -> None:
            content = text.encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: the terminal shows the grid."""

    return Handler
