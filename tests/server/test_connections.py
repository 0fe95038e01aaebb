"""Over real sockets: what a client can take is bounded, in time, memory and connections."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from litmlp import Network, Settings
from litmlp.commands.serve import listen, own_names
from litmlp.server import connections, server
from litmlp.server.app import make_app
from litmlp.server.server import Server, make_server
from tests.conftest import spec_of

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
OK = b'{"status":"ok"}'


class Served:
    """A server of a model in this process, and its clients."""

    def __init__(self, network: Network) -> None:
        listener = listen("127.0.0.1", 0)
        self.address = listener.getsockname()
        self.server: Server = make_server(make_app(network, Path("some.ckpt"), own_names(listener)))
        self.thread = threading.Thread(target=self.server.run, args=([listener],))
        self.thread.start()
        self.clients: list[socket.socket] = []

    def client(self, *sent: bytes) -> socket.socket:
        """A client that has sent this."""
        self.clients.append(socket.create_connection(self.address, timeout=30))
        for data in sent:
            self.clients[-1].sendall(data)
        return self.clients[-1]

    def until(self, true: Callable[[], bool]) -> None:
        end = monotonic() + 30
        while not true():
            assert monotonic() < end
            sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Network], Served]]:
    started: list[Served] = []

    def start(network: Network) -> Served:
        started.append(Served(network))
        return started[-1]

    yield start
    for served in started:
        for client in served.clients:
            client.close()
        served.until(lambda served=served: not served.server.server_state.connections)  # type: ignore[misc]
        assert served.server.server_state.held == 0
        assert served.server.server_state.waiting == {}
        served.stop()


@pytest.fixture
def xor(serve: Callable[[Network], Served]) -> Served:
    return serve(Network(Settings(spec_of(2), hidden=())).eval())


def post(body: bytes, length: int | None = None) -> bytes:
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{length or len(body)}\r\n\r\n".encode() + body


def answer(client: socket.socket) -> tuple[bytes, str]:
    """The first line of the answer, and its sentence; the connection must end then."""
    content = b""
    while data := client.recv(2**16):
        content += data
    head, _, body = content.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], json.loads(body)["detail"]


def until_answered(client: socket.socket, ends: bytes) -> bytes:
    content = b""
    while not content.endswith(ends):
        data = client.recv(2**16)
        assert data
        content += data
    return content


def test_an_unfinished_head_is_not_waited_for(xor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.2)
    timeout = (b"HTTP/1.1 408 Request Timeout", "the request's head didn't arrive within 0.2 seconds")
    assert answer(xor.client(b"GET / HT")) == timeout
    assert xor.client().recv(1) == b""
    second = xor.client(HEALTH)
    until_answered(second, OK)
    second.sendall(b"GET / HT")
    assert answer(second) == timeout


def test_each_byte_of_a_head_does_not_prolong_it(xor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_HEAD", 0.2)
    client = xor.client(b"GET /")
    client.settimeout(0.02)
    for _ in range(1000):
        try:
            assert client.recv(12) == b"HTTP/1.1 408"
            return
        except TimeoutError:
            client.sendall(b"x")
    pytest.fail("it was waited for")


def test_a_slow_body_is_not_waited_for(xor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_FOR_A_BODY", 0.2)
    slow = xor.client(post(b'{"sample":', 100))
    assert answer(slow) == (b"HTTP/1.1 408 Request Timeout", "the body didn't arrive within 0.2 seconds")


def test_an_answer_that_is_not_read_is_given_up(xor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS_TO_READ", 0.2)
    client = xor.client(post(b'{"samples":[' + b",".join([b"[0,1]"] * 200_000) + b"]}"))  # its answer takes 24 MB
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    xor.until(lambda: not xor.server.server_state.connections)
    assert until_answered(xor.client(HEALTH), OK)


def test_who_goes_is_not_worked_for(serve: Callable[[Network], Served]) -> None:
    batches: list[int] = []
    network = Network(Settings(spec_of(2), hidden=())).eval()
    network.register_forward_hook(lambda *_: batches.append(1))
    xor = serve(network)
    client = xor.client(post(b'{"samples":[' + b",".join([b"[0,1]"] * 1_000_000) + b"]}"))
    xor.until(lambda: xor.server.server_state.held > 6_000_000)
    client.close()
    xor.until(lambda: not xor.server.server_state.tasks)
    assert len(batches) < 1_000_000 / 256
    assert xor.server.server_state.held == 0


def test_a_large_request_is_answered_in_steps(xor: Served) -> None:
    client = xor.client(post(b'{"samples":[' + b",".join([b"[0,1]", b"[1,1]"] * 10_000) + b"]}"))
    content = until_answered(client, b"0\r\n\r\n").partition(b"\r\n\r\n")[2]
    chunks = content.split(b"\r\n")[1::2]
    answers = json.loads(b"".join(chunks))["answers"]
    assert len(answers) == 20_000
    assert answers == answers[:2] * 10_000
    assert answers[0] != answers[1]


def test_the_largest_heads(xor: Served) -> None:
    too_large = (b"HTTP/1.1 431 Request Header Fields Too Large", "the request's head is larger than 32,768 bytes")
    assert answer(xor.client(b"GET /" + b"x" * 2**15)) == too_large
    head = HEALTH.removesuffix(b"\r\n")
    assert until_answered(xor.client(head + b"a: b\r\n" * 99 + b"\r\n"), OK)
    assert xor.client(head + b"a: b\r\n" * 100 + b"\r\n").recv(24) == b"HTTP/1.1 400 Bad Request"


def test_requests_in_a_row(xor: Served) -> None:
    client = xor.client(HEALTH * 9)
    content = b""
    while content.count(OK) < 9:
        content += until_answered(client, OK)
    assert xor.client(HEALTH * 10).recv(24) == b"HTTP/1.1 400 Bad Request"


def test_a_body_that_nobody_reads_is_thrown_away(xor: Served) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n"
    client = xor.client(head)
    until_answered(client, OK)
    client.sendall(b"x" * 3_000_000 + HEALTH)
    until_answered(client, OK)
    xor.until(lambda: xor.server.server_state.held == 0)


def test_the_slowest_body_makes_room_for_the_others(xor: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_HELD", 1_000_000)
    idle, small = xor.client(), xor.client(post(b"{", 100))
    state = xor.server.server_state
    xor.until(lambda: len(state.connections) == 2)
    first = xor.client(post(b" " * 600_000, 700_000))
    xor.until(lambda: state.held > 600_000)
    second = xor.client(post(b" " * 600_000, 600_033))
    assert answer(first) == (b"HTTP/1.1 408 Request Timeout", connections.CROWDED)
    second.sendall(b' {"samples": [[0, 1],[1,1],[0,0]]')
    assert second.recv(12) == b"HTTP/1.1 422"
    small.sendall(b" " * 99)
    assert small.recv(12) == b"HTTP/1.1 400"
    idle.sendall(HEALTH)
    assert until_answered(idle, OK)


def test_the_longest_waiting_make_room_for_new_connections(
    serve: Callable[[Network], Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 4)
    xor = serve(Network(Settings(spec_of(2), hidden=())).eval())
    state = xor.server.server_state
    half, slow = xor.client(b"GET / HT"), xor.client(post(b"{", 100))
    xor.until(lambda: len(state.tasks) == 1 and len(state.connections) == 2)
    idle = xor.client()
    xor.until(lambda: len(state.connections) == 3)
    answered = xor.client(HEALTH)
    until_answered(answered, OK)
    assert until_answered(xor.client(HEALTH), OK)
    assert answer(half) == (b"HTTP/1.1 408 Request Timeout", connections.CROWDED)
    xor.client()
    assert answer(slow) == (b"HTTP/1.1 408 Request Timeout", connections.CROWDED)
    xor.client()
    assert idle.recv(1) == b""
    answered.sendall(HEALTH)
    assert until_answered(answered, OK)


def test_the_end_does_not_wait_for_slow_bodies(
    xor: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "SECONDS_TO_FINISH", 0.3)
    slow = xor.client(post(b"{", 100))
    xor.until(lambda: bool(xor.server.server_state.tasks))
    xor.stop()
    assert answer(slow) == (b"HTTP/1.1 408 Request Timeout", "the server is stopping")
    assert capfd.readouterr() == ("", "")
