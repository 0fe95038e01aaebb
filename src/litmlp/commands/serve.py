"""``litmlp serve``: serves a trained model over HTTP, with a page to draw on.

It stands on FastAPI and uvicorn rather than on LitServe. LitServe (0.2.19) passes each request to worker processes and
back, which pays for large models on accelerators; this network answers in a tenth of a millisecond. LitServe also
listens to all interfaces unless told otherwise, answers a body that isn't JSON with 500, and wraps the same FastAPI and
uvicorn, so that it would be a dependency more, not one less.

It is meant for this machine, or for a network that one trusts. What a client can take is bounded: time, connections,
memory (litmlp.server.connections). Still, nothing encrypts, and nothing asks who it is: for the open internet, put a
reverse proxy such as nginx in front.
"""

import ipaddress
import os
import socket

import torch

from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.commands.extras import require
from litmlp.errors import Failure, UsageError
from litmlp.model.loading import load


def main(argv: list[str]) -> None:
    """Run the command, until SIGTERM or Ctrl-C.

    uvicorn takes both signals, finishes the requests that are under way, and raises the signal again: so
    the console ends the process with its exit code.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint can't be used, a package is missing, or the port is in use.
    """
    parser = parser_with_ckpt("serve.py", "Serve a trained model over HTTP, with a page to draw on.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets the network in")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any free one")
    flags = parser.parse_args(argv)
    require("serve.py", "fastapi", "uvicorn", "httptools")
    from litmlp.server.app import make_app  # noqa: PLC0415 (an extra)
    from litmlp.server.server import make_server  # noqa: PLC0415

    path = checkpoint_of(flags)
    listener = listen(flags.host, flags.port)
    network = load(path)
    torch.set_num_threads(1)  # for layers this small more gain little, and on a busy machine wait for each other
    server = make_server(make_app(network, path, own_names(listener)))
    print(f"{network.spec.task} from {path}: open {url(listener)} (Ctrl-C stops)", flush=True)
    server.run([listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        UsageError: if there is no such address or port.
        Failure: if it is in use or forbidden.
    """
    if not 0 <= port < 2**16:
        raise UsageError(f"--port {port}: must be from 0 to 65535")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol named, for asyncio turns Nagle's algorithm off only then: it costs 40 ms an answer.
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"--host {host}: there is no such address") from None
    try:
        if os.name == "posix":  # elsewhere it would let two servers have the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        reason = os.strerror(error.errno or 0)
        raise Failure(f"can't listen on port {port} of {host} ({reason}): choose another --port") from None
    return listener


def own_names(listener: socket.socket) -> set[str] | None:
    """The Host names to answer to: on loopback only its own, else all."""
    address = listener.getsockname()[0]
    return {"127.0.0.1", "localhost", "[::1]", address} if ipaddress.ip_address(address).is_loopback else None


def url(listener: socket.socket) -> str:
    """Where the page is, for a browser on this machine."""
    address, port = listener.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        address = "localhost"
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"
