"""Fits under way, several side by side: each is an ordinary ``litmlp fit``, to the last bit."""

import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol, Self

from litmlp.errors import Failure
from litmlp.signals import INTERRUPTION
from litmlp.studies.job import Job
from litmlp.studies.plain import ENDING, PlainStarter


class Starter(Protocol):
    """Starts fits, as processes of one kind or another.

    Attributes:
        endings: where each fit's number and exit code arrive, as ``ENDING`` packs them.
    """

    endings: socket.socket

    def start(self, number: int, flags: list[str], threads: int, files: Sequence[int]) -> None:
        """Start a fit.

        Args:
            number: by which its ending is known.
            flags: of ``litmlp fit``.
            threads: it computes with, unless its flags say otherwise.
            files: descriptors of its stdout, its stderr and, if it is to report, of a socket.
        """

    def stop(self, signum: int) -> None:
        """Send a signal to all fits, and wait until they have ended."""

    def close(self) -> None:
        """Give back what the starter itself holds, when it has been stopped."""


def fastest_starter() -> Starter:
    """Forks fits on Linux, in a command's own process, which has imported but computed nothing.

    macOS has libraries that don't survive a fork, and a process that we were called from may have used OpenMP or CUDA.
    """
    if sys.platform == "linux" and INTERRUPTION.command:
        from litmlp.studies.warm import WarmStarter  # noqa: PLC0415 (other systems can't import it)

        return WarmStarter()
    return PlainStarter()


class Jobs:
    """The fits that this process makes. They get its signals, and none outlives it.

    Args:
        starter: starts them; by default as fast as this process can.

    Attributes:
        beat: is called every few seconds while fits are made in their order.
    """

    beat: Callable[[], object]
    BEAT_EVERY = 2.0  # seconds

    def __init__(self, starter: Starter | None = None) -> None:
        self.beat = lambda: None
        self.starter: Starter = starter or fastest_starter()
        self.started = 0
        self.under_way: dict[int, Job] = {}  # by their numbers
        INTERRUPTION.before_leaving = self.stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)
        INTERRUPTION.before_leaving = None
        for job in self.under_way.values():
            job.close()
        self.starter.close()

    def start(self, flags: list[str], threads: int, is_live: bool = False, reports: bool = False) -> Job:
        """Start a fit.

        Args:
            flags: of ``litmlp fit``.
            threads: it computes with, unless its flags say otherwise.
            is_live: whether it prints to this process's stdout.
            reports: whether it reports each epoch that has a validation, and then waits for an answer.

        Raises:
            Failure: if it can't be started.
        """
        job = Job(is_live, reports)
        self.started += 1
        self.under_way[self.started] = job  # first, lest a signal in between find it missing
        self.starter.start(self.started, flags, threads, job.files)
        if job.theirs is not None:
            job.theirs.close()
        return job

    def wait(self, timeout: float | None = None) -> list[Job]:
        """Wait until a fit reports or ends, or the time is up: the fits that do.

        Raises:
            Failure: if the process that starts fits has been killed.
        """
        talking = {job.connection: job for job in self.under_way.values() if job.connection and job.report is None}
        ready = select.select([self.starter.endings, *talking], [], [], timeout)[0]
        found = [job for connection, job in talking.items() if connection in ready and job.receive()]
        if self.starter.endings in ready:
            ending = b""
            with suppress(ConnectionResetError):  # it was killed before it had read a request
                ending = self.starter.endings.recv(ENDING.size)
            if not ending:
                raise Failure(f"the process that starts fits was killed: {INTERRUPTION.advice}")
            number, code = ENDING.unpack(ending)
            job = self.under_way.pop(number)
            job.code = code
            found.append(job)
        return found

    def in_order(self, fits: Sequence[list[str]], at_once: int, threads: int) -> Iterator[str]:
        """Make fits, several at once: what each printed, in their order; a single one at a time prints live.

        Args:
            fits: the flags of each.
            at_once: how many are under way at most.
            threads: that each computes with, unless its flags say otherwise.

        Raises:
            Failure: if one was killed.
            SystemExit: as soon as one has failed, with its exit code.
        """
        jobs: list[Job] = []
        printed: dict[Job, str] = {}
        for index in range(len(fits)):
            while index >= len(jobs) or jobs[index] not in printed:
                while len(jobs) < len(fits) and len(self.under_way) < at_once:
                    jobs.append(self.start(fits[len(jobs)], threads, is_live=at_once == 1))
                printed |= {job: job.end() for job in self.wait(self.BEAT_EVERY)}
                self.beat()
            yield printed[jobs[index]]

    def stop(self, signum: int) -> None:
        """Send a signal to all fits, and wait until they have ended. One that waits for an answer leaves without it."""
        for job in self.under_way.values():
            with suppress(OSError):  # it has ended
                if job.connection is not None:
                    job.connection.shutdown(socket.SHUT_RDWR)
        self.starter.stop(signum)
