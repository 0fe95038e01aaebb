"""How ``serve.py`` answers under load: ``python -m benchmarks.load --ckpt some.ckpt``, a checkpoint of images.

While thousands of connections are idle, and hundreds of large bodies arrive slowly, it asks for ``/health`` and for the
prediction of a picture. Then it sends bodies of 8 MB, and asks for ``/health`` meanwhile. It prints the slowest
answers, how much memory the server has taken, and how many lines it has written to stderr.
"""

import argparse
import io
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from PIL import Image, ImageDraw

SERVE = [sys.executable, str(Path(__file__).parents[1] / "scripts" / "serve.py"), "--port", "0", "--ckpt"]
JSON = "application/json"
LARGE = 8_000_000  # bytes of a body
HEAD = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\nContent-Length: {LARGE}\r\n\r\n".encode()
FIRST_PART = b" " * 2**19  # of each slow body


def main(argv: list[str]) -> None:
    """Load a server, and print how it answered."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--ckpt", required=True, help="the checkpoint to serve")
    parser.add_argument("--idle", type=int, default=2000, help="idle connections")
    parser.add_argument("--slow", type=int, default=200, help="slow bodies")
    parser.add_argument("--requests", type=int, default=50, help="of each kind, one after the other")
    options = parser.parse_args(argv)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    picture = io.BytesIO()
    drawing = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(drawing).line([(100, 20), (100, 180)], 0, 18)
    drawing.save(picture, "PNG")
    with tempfile.TemporaryFile() as errors, ExitStack() as at_end:
        port, pid = at_end.enter_context(server(options.ckpt, errors.fileno()))
        ask(port, "/health")
        ask(port, "/predict", picture.getvalue(), "image/png")
        before = memory(pid)
        idle = connect(port, options.idle // 2, b"GET / HT") + connect(port, options.idle - options.idle // 2, b"")
        slow = connect(port, options.slow, HEAD + FIRST_PART)
        health, pictures = [], []
        for _ in range(options.requests):
            health.append(ask(port, "/health"))
            pictures.append(ask(port, "/predict", picture.getvalue(), "image/png"))
            for client in slow:
                with suppress(ConnectionError):  # the server may close connections that hold too much for too long
                    client.sendall(b" ")
        print(f"{len(idle):,} idle connections and {len(slow)} slow bodies; {options.requests} requests of each kind:")
        print(f"/health {max(health):.3f} s, a picture {max(pictures):.3f} s; {memory(pid) - before:.0f} MB more")
        for client in [*idle, *slow]:
            client.close()
        print(f"while a body of 8 MB is answered, /health takes {meanwhile(port):.3f} s")
        lines = os.pread(errors.fileno(), 2**24, 0).splitlines()
        print(f"{len(lines)} lines on stderr")


@contextmanager
def server(checkpoint: str, errors: int) -> Iterator[tuple[int, int]]:
    """A server of a checkpoint: its port and process id."""
    with subprocess.Popen([*SERVE, checkpoint], stdout=subprocess.PIPE, stderr=errors, text=True) as process:  # noqa: S603 (a list)
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().removesuffix(" (Ctrl-C stops)\n").rpartition(":")[2]), process.pid
        finally:
            process.kill()


def ask(port: int, path: str, body: bytes | None = None, kind: str = "") -> float:
    """How many seconds a request takes, from its connection to the end of the answer.

    Raises:
        SystemExit: if the answer isn't 200.
    """
    begin = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET" if body is None else "POST", path, body, {"Content-Type": kind})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        sys.exit(f"{path}: {response.status} {content[:200]!r}")
    return time.monotonic() - begin


def connect(port: int, count: int, sent: bytes) -> list[socket.socket]:
    """Connections that have each sent this."""
    connected = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(count)]
    for client in connected:
        client.sendall(sent)
    return connected


def meanwhile(port: int) -> float:
    """How many seconds ``/health`` takes at most, while a body of nearly 8 MB is answered three times."""
    row = json.dumps([[1.5] * 28] * 28)
    body = f'{{"samples":[{",".join([row] * (LARGE // (len(row) + 1)))}]}}'.encode()
    slowest = 0.0
    for _ in range(3):
        thread = threading.Thread(target=ask, args=(port, "/predict", body, JSON))
        thread.start()
        while thread.is_alive():
            slowest = max(slowest, ask(port, "/health"))
    return slowest


def memory(pid: int) -> float:
    """The memory that a process has, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
