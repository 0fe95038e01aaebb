"""The connections of clients: how long each may take, and how much all of them may hold."""

import asyncio
import json
from asyncio import TimerHandle
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

SECONDS_FOR_A_HEAD = 10  # of a request, from the connection's beginning or the previous answer
SECONDS_FOR_A_BODY = 30
SECONDS_TO_READ = 30  # what is left of an answer, at least in part
LARGEST_HEAD = 32 * 2**10  # bytes
MOST_HEADERS = 100
MOST_PIPELINED = 8  # requests that wait for the answer to one before them, which hardly a client sends
LARGEST_REQUEST = 16 * 2**20  # bytes, with what frames the chunks of a body
MOST_HELD = 96 * 2**20  # bytes of all requests that haven't been answered
CROWDED = "too many requests are under way, and this one has taken the longest: send it again"


class Connections(ServerState):
    """All connections of a server.

    When there are too many, or they hold too much memory, those are closed that have waited for their clients the
    longest. So slow or malicious clients can't keep out the others.

    Args:
        most: connections that may be open.

    Attributes:
        waiting: those that wait for their clients, to send a request or to read an answer, the longest waiting first.
        held: bytes of requests that haven't been answered.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.waiting: dict[Connection, None] = {}
        self.held = 0

    def make_room(self) -> None:
        """Close as many connections as it takes.

        Where memory is short, only those that hold more than an equal share are closed. So a small request is answered
        even while large ones hold ``MOST_HELD``, and all of them together hold at most twice that.
        """
        while len(self.connections) > self.most and self.waiting:
            next(iter(self.waiting)).drop(CROWDED)
        if self.held > MOST_HELD:
            share = MOST_HELD // len(self.connections)
            for connection in [connection for connection in self.waiting if connection.held > share]:
                if self.held > MOST_HELD:
                    connection.drop(CROWDED)

    def close_waiting(self) -> None:
        """Close all connections that wait for their clients."""
        for connection in [*self.waiting]:
            connection.drop("the server is stopping")


class Connection(HttpToolsProtocol):
    """A client's connection.

    uvicorn's own protocol waits for the rest of a request forever, and accepts heads of any size.

    Attributes:
        held: bytes of requests that haven't been answered.
        in_head: whether it waits for the head of a request.
    """

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.all = server_state
        self.held = 0
        self.in_head = True
        self.timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()
        self.all.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop_waiting()
        self._hold(-self.held)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        self._hold(len(data))
        super().data_received(data)
        if self.in_head and self.held > LARGEST_HEAD:
            why = f"the request's head is larger than {LARGEST_HEAD:,} bytes"
            self.drop(why, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self.held > LARGEST_REQUEST:
            self.drop(f"the request is larger than {LARGEST_REQUEST:,} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self.all.make_room()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; with too many the request counts as malformed."""
        super().on_header(name, value)
        if len(self.headers) > MOST_HEADERS:
            raise ValueError(f"more than {MOST_HEADERS} headers")

    def on_headers_complete(self) -> None:
        """Begin the request; with too many before it, it counts as malformed."""
        if len(self.pipeline) == MOST_PIPELINED:
            raise ValueError(f"more than {MOST_PIPELINED} requests wait")
        super().on_headers_complete()
        self.in_head = False
        self._wait(SECONDS_FOR_A_BODY, f"the body didn't arrive within {SECONDS_FOR_A_BODY} seconds")

    def on_body(self, body: bytes) -> None:
        """Take a part of a body. That of a request which has been answered already is thrown away."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._hold(-len(body))

    def on_message_complete(self) -> None:
        """Wait no longer: it is the server's turn."""
        super().on_message_complete()
        if not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request, unless it is there."""
        super().on_response_complete()
        if self.cycle.response_complete:
            if self.scope is self.cycle.scope:  # else a part of the next request is there
                self._hold(-self.held)
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._wait(SECONDS_TO_READ)

    def resume_writing(self) -> None:
        """Continue with the answer."""
        super().resume_writing()
        if not self.in_head:
            self._stop_waiting()

    def drop(self, why: str = "", status: HTTPStatus = HTTPStatus.REQUEST_TIMEOUT) -> None:
        """Close the connection now, and say why if a part of a request is there that hasn't been answered."""
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if self.held and why and not (is_answering or self.pipeline or self.transport.is_closing()):
            self.transport.write(refusal(status, why))
        self.transport.abort()
        self.connections.discard(self)
        self._stop_waiting()
        self._hold(-self.held)

    def _wait_for_head(self) -> None:
        self.in_head = True
        self._wait(SECONDS_FOR_A_HEAD, f"the request's head didn't arrive within {SECONDS_FOR_A_HEAD} seconds")

    def _wait(self, seconds: float, why: str = "") -> None:
        self._stop_waiting()
        self.all.waiting[self] = None
        self.timer = self.loop.call_later(seconds, self.drop, why)

    def _stop_waiting(self) -> None:
        self.all.waiting.pop(self, None)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _hold(self, more: int) -> None:
        self.held += more
        self.all.held += more


def refusal(status: HTTPStatus, why: str) -> bytes:
    """An HTTP response with one sentence."""
    body = json.dumps({"detail": why}).encode()
    headers = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{headers}\r\n".encode() + body
