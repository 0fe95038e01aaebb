"""uvicorn, configured so that no client can keep it from answering the others."""

import asyncio
import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from litmlp.server.connections import Connection, Connections

MOST_CONNECTIONS = 4096
BACKLOG = 1024  # connections that may wait to be accepted
ACCEPTED_AT_ONCE = 64
SECONDS_TO_FINISH = 10  # for requests that are under way when a signal comes


class Server(uvicorn.Server):
    """uvicorn's server with a limit on its connections.

    Args:
        config: uvicorn's settings.
        most_connections: those that may be open.
    """

    def __init__(self, config: uvicorn.Config, most_connections: int) -> None:
        super().__init__(config)
        self.server_state: Connections = Connections(most_connections)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen.

        asyncio takes one number for the connections it accepts at once and those that may wait: they differ here.
        """
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that are under way, and close what is still open then."""
        asyncio.get_running_loop().call_later(SECONDS_TO_FINISH, self.server_state.close_waiting)
        await super().shutdown(sockets)


def make_server(app: ASGIApp) -> Server:
    """The server of an application, for sockets that are passed to its ``run``.

    From accepting a connection until the one that makes room for it is closed, the event loop takes four rounds. So
    connections get half of the files that the process may open, those four rounds a quarter, and the rest is for
    everything else.
    """
    files = open_files()
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="asyncio",
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=max(1, min(ACCEPTED_AT_ONCE, files // 16)),
        timeout_graceful_shutdown=SECONDS_TO_FINISH + 2,
    )
    return Server(config, min(MOST_CONNECTIONS, files // 2))


def open_files() -> int:
    """How many files this process may open, after it has raised its limit as far as it is of use here."""
    enough = 2 * MOST_CONNECTIONS
    if sys.platform == "win32":  # there is no such limit
        return enough
    import resource  # noqa: PLC0415 (there is none on Windows)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= enough:
        return enough
    wanted = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
