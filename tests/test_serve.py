"""serve.py as a process: where it listens, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from litmlp.commands import serve
from litmlp.commands.extras import require
from litmlp.errors import Failure, UsageError
from tests.conftest import ROOT


@contextmanager
def serving(checkpoint: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """serve.py on a free port."""
    command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--ckpt", str(checkpoint), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        start, _, port = line.removesuffix(" (Ctrl-C stops)\n").rpartition(":")
        assert start == f"digits from {checkpoint}: open http://127.0.0.1"
        try:
            yield process, int(port)
        finally:
            process.kill()


def lets_in(port: int) -> bool:
    """Whether a new client gets a connection."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_a_request_finish(digits: Path, signum: signal.Signals, code: int) -> None:
    body = json.dumps({"sample": [[3] * 8] * 8}).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    with serving(digits) as (process, port), socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")  # the request is under way
        process.send_signal(signum)
        while lets_in(port):  # until the signal has been taken
            pass
        client.sendall(body)
        with client.makefile("rb") as response:
            assert response.readline() == b"HTTP/1.1 200 OK\r\n"
            assert len(json.loads(response.read().partition(b"\r\n\r\n")[2])["answers"]) == 1
        assert process.wait(60) == code
        assert process.stderr is not None
        assert process.stderr.read() == f"\nserve.py: stopped by {signum.name}\n"


def test_a_port_in_use_is_one_line(digits: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = rf"^can't listen on port {port} of 127.0.0.1 \(Address already in use\): choose another --port$"
        with pytest.raises(Failure, match=line):
            serve.main(["--ckpt", str(digits), "--port", str(port)])


def test_where_it_listens() -> None:
    with serve.listen("127.0.0.1", 0) as listener:
        assert serve.own_names(listener) == {"127.0.0.1", "localhost", "[::1]"}
        assert serve.url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serve.listen("0.0.0.0", 0) as listener:
        assert serve.own_names(listener) is None
        assert serve.url(listener) == f"http://localhost:{listener.getsockname()[1]}"
    with pytest.raises(UsageError, match="^--port 65536: must be from 0 to 65535$"):
        serve.listen("127.0.0.1", 65536)
    with pytest.raises(UsageError, match="^--host 1.2.3.4.5: there is no such address$"):
        serve.listen("1.2.3.4.5", 0)
    with pytest.raises(Failure, match=r"^serve.py needs no_such_package: pip install -r requirements-serve.txt$"):
        require("serve.py", "fastapi", "no_such_package")
