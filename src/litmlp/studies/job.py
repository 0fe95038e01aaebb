"""One fit, under way or ended: what it prints, what it reports, and how it ended."""

import json
import signal
import socket
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO, Any

from litmlp.errors import Failure
from litmlp.signals import INTERRUPTION
from litmlp.training.reports import CONTINUE, STOP

STOPPED = {128 + signum: signum for signum in (signal.SIGINT, signal.SIGTERM)}  # by exit codes


class Job:
    """A fit, under way or ended.

    Args:
        is_live: whether it prints to this process's stdout. Otherwise that is kept, as its stderr always is: at a
            signal, it is this process that says how to resume.
        reports: whether it reports each epoch that has a validation.

    Attributes:
        code: its exit code, negative for a signal; None while it is under way.
    """

    def __init__(self, is_live: bool = False, reports: bool = False) -> None:
        self.output: IO[bytes] | None = None if is_live else TemporaryFile()  # noqa: SIM115 (closed by what it belongs to)
        self.errors = TemporaryFile()  # noqa: SIM115
        self.connection: socket.socket | None = None
        self.theirs: socket.socket | None = None
        if reports:
            self.connection, self.theirs = socket.socketpair()
        self.received = b""
        self.code: int | None = None

    @property
    def files(self) -> list[int]:
        """The descriptors that the fit's process gets."""
        files = [self.errors.fileno()] if self.theirs is None else [self.errors.fileno(), self.theirs.fileno()]
        return [1 if self.output is None else self.output.fileno(), *files]

    @property
    def report(self) -> dict[str, Any] | None:
        """What the fit says of its last epoch, while it waits for the answer."""
        return json.loads(self.received) if self.received.endswith(b"\n") else None

    def receive(self) -> bool:
        """Read what the fit sends, or that it won't send any more: whether that is all of a report."""
        assert self.connection is not None
        part = b""
        with suppress(ConnectionError):  # it was killed before it had read an answer
            part = self.connection.recv(1 << 16)
        self.received += part
        if not part:
            self.connection.close()
            self.connection = None
        return self.report is not None

    def answer(self, may_continue: bool) -> None:
        """Answer the report."""
        self.received = b""
        if self.connection is not None:
            with suppress(ConnectionError):  # it was killed after its report
                self.connection.send(CONTINUE if may_continue else STOP)

    def close(self) -> None:
        """Close what belongs to the fit."""
        for stream in (self.output, self.errors, self.connection, self.theirs):
            if stream is not None:
                stream.close()

    def end(self, was_stopped: bool = False) -> str:
        """Close what belongs to the fit, and pass its stderr on: what it printed, unless that was live.

        Args:
            was_stopped: whether it was asked to stop, so that what it says of that is left out.

        Raises:
            Failure: if it was killed.
            SystemExit: if it failed, with its exit code.
        """
        printed, errors = (text_of(file) for file in (self.output, self.errors))
        self.close()
        assert self.code is not None
        if was_stopped:
            return printed
        if self.code not in STOPPED:
            sys.stderr.write(errors)
        if self.code < 0 or self.code in STOPPED:
            signum = STOPPED.get(self.code, -self.code)
            raise Failure(f"the fit was killed by {signal.Signals(signum).name}: {INTERRUPTION.advice}")
        if self.code:
            sys.exit(self.code)
        return printed


def text_of(file: IO[bytes] | None) -> str:
    """What was written to a file."""
    if file is None:
        return ""
    file.seek(0)
    return file.read().decode(errors="replace")
