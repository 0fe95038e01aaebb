"""Random requests, over real sockets, to servers that are started once."""

import math
import os
import re
import signal
import socket
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from random import Random
from typing import NamedTuple

from litmlp.commands import serve
from litmlp.commands.console import run
from litmlp.server.connections import SECONDS_FOR_A_HEAD
from tests.fuzz.bodies import SHAPES, TABLE
from tests.fuzz.cases import Failure
from tests.fuzz.forked import Result
from tests.fuzz.judge import STOPPED, last_line, similar, traceback_in
from tests.fuzz.messages import Message, make
from tests.fuzz.sandbox import PATIENCE, Box, clock

IMPORTED = (serve,)


class Server:
    """A server of one of the runs, in a process of its own.

    Args:
        run_name: its folder in lightning_logs.
        folder: for what it writes.
        base: the folder that has the run.
    """

    def __init__(self, run_name: str, folder: Path, base: Path) -> None:
        self.box = Box(folder / run_name.replace("/", "-"), base)
        argv = ["--ckpt", f"lightning_logs/{run_name}", "--port", "0"]
        self.pid = self.box.fork(lambda: run("serve", "serve.py", argv))
        self.port = self.wait_for_port()
        self.printed = 0

    def wait_for_port(self) -> int:
        """The port, once the server listens."""
        end = clock(self.pid) + PATIENCE
        while not (found := re.search(rb"http://127\.0\.0\.1:(\d+)", self.box.printed("out"))):
            assert clock(self.pid) < end, self.box.printed("err")
            time.sleep(0.05)
        return int(found[1])

    def send(self, message: Message) -> tuple[bytes, list[Failure]]:
        """Send a request on a connection of its own: the beginning of the answer, and what is wrong with it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            try:
                with suppress(ConnectionError):  # the server may refuse a request before all of it is there
                    connection.sendall(message.content)
                answer = whole_answer(connection, message.method) if message.whole else everything(connection)
            except TimeoutError:
                return b"", [Failure("hang", "no answer" if message.whole else "the connection stays open")]
            except (HTTPException, ConnectionError) as error:
                return b"", [Failure("no answer", similar(repr(error)))]
        wrong = [Failure("status", status.decode()) for status in re.findall(rb"HTTP/1\.[01] (5\d\d .*)\r", answer)]
        return answer, wrong

    def health(self) -> list[Failure]:
        """Whether it still runs, and has printed nothing more."""
        error = self.box.printed("err")[self.printed :].decode(errors="replace")
        self.printed += len(error.encode())
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return [Failure("server", f"it died: {last_line(error)}")]
        return [Failure("printed", traceback_in(error) or similar(last_line(error)))] if error else []

    def close(self) -> list[Failure]:
        """Stop it by SIGTERM."""
        os.kill(self.pid, signal.SIGTERM)
        code, _, hung = self.box.watch(self.pid, enough=math.inf)
        return [] if code == STOPPED and not hung else [Failure("server", f"at SIGTERM exit code {code}")]


def whole_answer(connection: socket.socket, method: str) -> bytes:
    """The answer to a request that is well-formed: its status and the beginning of its body."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return b"HTTP/1.1 %d %s\r\n" % (response.status, response.reason.encode()) + response.read()


def everything(connection: socket.socket) -> bytes:
    """All that comes back once we have nothing more to say."""
    content = b""
    with suppress(ConnectionError):
        with suppress(OSError):  # the server may have closed it already
            connection.shutdown(socket.SHUT_WR)
        while chunk := connection.recv(2**16):
            content += chunk
    return content


class Stayed(NamedTuple):
    """A connection whose client sent a part of a head, and waits.

    Attributes:
        number: of the case.
        since: the time when it was sent.
        connection: to the server.
    """

    number: int
    since: float
    connection: socket.socket

    def close(self) -> list[Failure]:
        """Wait until the server has closed it; what is wrong if it doesn't in time."""
        self.connection.settimeout(max(0.1, self.since + SECONDS_FOR_A_HEAD + PATIENCE - time.monotonic()))
        with self.connection:
            try:
                with suppress(ConnectionError):
                    while self.connection.recv(2**16):
                        pass
            except TimeoutError:
                return [Failure("hang", "a connection with half a head stays open")]
        return []


class Requests:
    """A kind of cases that are requests."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.stayed: list[Stayed] = []
        self.servers = {name: Server(name, folder, base) for name in (*SHAPES, TABLE)}

    def case(self, seed: int, number: int) -> tuple[str, Message]:
        """The run whose server is asked, and what."""
        random = Random(f"requests {seed} {number}")
        name = random.choice(sorted(self.servers))
        return name, make(random, name)

    def run(self, seed: int, number: int) -> Result:
        """Send a request; a server that doesn't run any more is replaced.

        Half a head is left to the server's own deadline, and looked after when that has passed.
        """
        name, message = self.case(seed, number)
        if message.stays:
            connection = socket.create_connection(("127.0.0.1", self.servers[name].port), timeout=PATIENCE)
            connection.sendall(message.content)
            self.stayed.append(Stayed(number, time.monotonic(), connection))
            return Result(True, self.close_stayed(SECONDS_FOR_A_HEAD + PATIENCE))
        answer, failures = self.servers[name].send(message)
        failures += self.servers[name].health()
        if any(failure.rule == "server" for failure in failures):
            self.servers[name] = Server(name, self.folder, self.base)
        return Result(not answer.startswith(b"HTTP/1.1 2"), failures)

    def close_stayed(self, age: float) -> list[Failure]:
        """Close the connections with half a head that are so many seconds old; what is wrong with them."""
        due = [one for one in self.stayed if time.monotonic() - one.since >= age]
        self.stayed = [one for one in self.stayed if one not in due]
        return [failure for one in due for failure in one.close()]

    def show(self, seed: int, number: int) -> Result:
        """Send a request, and print it and the answer."""
        name, message = self.case(seed, number)
        answer, failures = self.servers[name].send(message)
        print(f"{self.smallest(seed, number, Failure('', ''))}\n--- answer\n{answer[:2000]!r}\n---")
        return Result(not answer.startswith(b"HTTP/1.1 2"), failures + self.servers[name].health())

    def smallest(self, seed: int, number: int, failure: Failure) -> str:
        """The request."""
        name, message = self.case(seed, number)
        return f"to the server of {name}, {len(message.content)} bytes: {message.content[:1500]!r}"

    def close(self) -> list[Failure]:
        """Wait for the connections with half a head, and stop the servers."""
        failures = self.close_stayed(0.0)
        return failures + [failure for server in self.servers.values() for failure in server.close()]
