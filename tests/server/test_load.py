"""serve.py as a process, under load: whatever some clients do, others are answered."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.server.test_app import JSON, ask, png

Start = Callable[[int], tuple[int, "subprocess.Popen[str]"]]
HEADERS = b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"


@pytest.fixture
def start(digits: Path) -> Iterator[Start]:
    """Starts serve.py with a limit of open files; gives its port."""
    started: list[subprocess.Popen[str]] = []

    def start_process(files: int) -> tuple[int, "subprocess.Popen[str]"]:
        command = [sys.executable, str(ROOT / "scripts" / "serve.py"), "--ckpt", str(digits), "--port", "0"]
        limited = ["sh", "-c", f'ulimit -n {files}; exec "$0" "$@"', *command]
        process = subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline().removesuffix(" (Ctrl-C stops)\n").rpartition(":")[2]), process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


def request(port: int, path: str, body: bytes | None = None, kind: str = "") -> None:
    """Send a request, which must be answered with 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET" if body is None else "POST", path, body, {"Content-Type": kind})
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200


def ask_both(port: int) -> None:
    """Ask how the server is, and have a picture classified."""
    request(port, "/health")
    request(port, "/predict", png(), "image/png")


def memory(process: "subprocess.Popen[str]", most: bool = False) -> float:
    """A process's memory in MB, or the most that it has ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    found = re.search(rf"^{'VmHWM' if most else 'VmRSS'}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def clients(port: int, count: int, sent: bytes) -> list[socket.socket]:
    """Clients that have each sent this."""
    connected = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(count)]
    for client in connected:
        client.sendall(sent)
    return connected


def is_held(client: socket.socket) -> bool:
    """Whether a client's connection is open, and nothing was answered."""
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    return False


def first_bytes(client: socket.socket) -> bytes:
    """What a client is sent first; nothing where its connection was closed over what it had sent."""
    try:
        return client.recv(12)
    except ConnectionResetError:
        return b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_idle_and_slow_clients_keep_nobody_out(start: Start) -> None:
    port, process = start(4096)
    ask_both(port)
    before = memory(process)
    heads = clients(port, 150, b"GET / HT")
    idle = clients(port, 150, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    slow = clients(port, 40, b"POST /predict HTTP/1.1\r\n" + HEADERS + b" " * 2**20)
    ask_both(port)
    assert all(is_held(client) for client in [*heads, *slow])
    for client in slow:
        client.sendall(b" ")
    assert memory(process) - before < 200
    for client in [*heads, *idle, *slow]:
        client.close()
    process.terminate()
    assert process.communicate(timeout=60)[1] == "\nserve.py: stopped by SIGTERM\n"


@pytest.mark.parametrize("sent", [b"GET / HT", b"POST /predict HTTP/1.1\r\n" + HEADERS], ids=["heads", "bodies"])
def test_more_connections_than_open_files(start: Start, sent: bytes) -> None:
    port, process = start(256)
    connected = clients(port, 400, sent)
    ask_both(port)
    assert first_bytes(connected[0]) in (b"", b"HTTP/1.1 408")
    assert is_held(connected[-1])
    for client in connected:
        client.close()
    process.terminate()
    assert process.communicate(timeout=60)[1] == "\nserve.py: stopped by SIGTERM\n"


def test_the_largest_body_holds_up_nobody(start: Start) -> None:
    port, _ = start(1024)
    sample = json.dumps([[1.5] * 8] * 8)
    body = f'{{"samples":[{",".join([sample] * 24_000)}]}}'.encode()
    assert 7_500_000 < len(body) < 8 * 2**20
    thread = threading.Thread(target=request, args=(port, "/predict", body, JSON))
    thread.start()
    others = 0
    while thread.is_alive():
        ask_both(port)
        others += 1
    assert others > 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_millions_of_empty_lists_take_little_memory(start: Start) -> None:
    port, process = start(1024)
    ask_both(port)
    before = memory(process)
    body = b'{"samples":[' + b",".join([b"[]"] * 2_790_000) + b"]}"
    assert 8_000_000 < len(body) < 8 * 2**20
    answer = ask(f"http://127.0.0.1:{port}", "POST", "/predict", body, Content_Type=JSON)
    assert answer == (422, {"detail": "each sample must be nothing but numbers in lists, of shape [8, 8]"})
    assert memory(process, most=True) - before < 100
