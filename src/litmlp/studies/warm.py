"""Starts fits in processes that have imported everything already: that takes four seconds, and a fork milliseconds.

A process must not be forked once OpenMP or CUDA has threads or memory in it, which don't survive that. So as a
command's first act it forks a process that computes nothing, and that one forks the fits.
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

from litmlp.errors import Failure
from litmlp.settings.command_line import read_command
from litmlp.settings.threads import use_threads
from litmlp.signals import INTERRUPTION
from litmlp.studies.plain import ENDING, end_with_parent, python_path
from litmlp.training.reports import VARIABLE

assert sys.platform == "linux"  # elsewhere processes can't be forked, or not safely

LONGEST_REQUEST = 1_000_000  # bytes


class WarmStarter:
    """Has a process of its own, which is forked now, fork fits.

    Attributes:
        endings: where each fit's number and exit code arrive, as ``ENDING`` packs them.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self.endings, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self.endings.close()
            be_process(lambda: Forker(theirs).serve())
        theirs.close()

    def start(self, number: int, flags: list[str], threads: int, files: Sequence[int]) -> None:
        """Start a fit, as a :class:`litmlp.studies.jobs.Starter` does.

        Raises:
            Failure: if the process that forks has been killed.
        """
        request = json.dumps({"number": number, "flags": flags, "threads": threads}).encode()
        try:
            socket.send_fds(self.endings, [request], files)
        except OSError:
            raise Failure(f"the process that starts fits was killed: {INTERRUPTION.advice}") from None

    def stop(self, signum: int) -> None:
        """Send a signal to all fits, and wait until they and the process that forks have ended."""
        with suppress(OSError):  # it was killed; its fits got a SIGTERM then
            self.endings.send(json.dumps({"signal": signum}).encode())
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def close(self) -> None:
        """Close the socket."""
        self.endings.close()


class Forker:
    """The process that forks fits, each in a process group of its own: the terminal's Ctrl-C reaches its parent only.

    Args:
        requests: from the command that makes the fits. When that has been killed, they get a SIGTERM.
    """

    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.selector = selectors.DefaultSelector()
        self.selector.register(requests, selectors.EVENT_READ)
        self.numbers: dict[int, int] = {}  # of the fits, by their process ids
        self.is_wanted = True
        os.setpgid(0, 0)
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_DFL)
        import_module("litmlp.commands.fit")
        read_command([])  # imports the rest
        gc.freeze()  # what is imported: collecting it would copy its memory, and find nothing

    def serve(self) -> None:
        """Fork fits as long as anybody wants them."""
        while self.is_wanted or self.numbers:
            for key, _ in self.selector.select():
                if key.fileobj is self.requests:
                    self.answer()
                else:
                    self.report_end(key.data, key.fd)

    def answer(self) -> None:
        """Do what the next request asks for."""
        text, files, _, _ = socket.recv_fds(self.requests, LONGEST_REQUEST, 3)
        request = json.loads(text) if text else {"signal": signal.SIGTERM}
        if not text:
            self.selector.unregister(self.requests)
        if "signal" in request:
            self.is_wanted = False
            for pid in self.numbers:
                os.kill(pid, request["signal"])
        else:
            self.fork(request, files)
        for file in files:
            os.close(file)

    def fork(self, request: dict[str, Any], files: Sequence[int]) -> None:
        """Fork a fit."""
        forker = os.getpid()
        pid = os.fork()
        if pid == 0:
            for key in [*self.selector.get_map().values()]:
                os.close(key.fd)
            end_with_parent()
            if os.getppid() != forker:  # it was killed before the kernel knew of our wish
                os._exit(128 + signal.SIGTERM)
            be_process(lambda: fit(request["flags"], request["threads"], files))
        self.numbers[pid] = request["number"]
        self.selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)

    def report_end(self, pid: int, pidfd: int) -> None:
        """Say how a fit has ended."""
        self.selector.unregister(pidfd)
        os.close(pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(OSError):  # nobody is left to know
            self.requests.send(ENDING.pack(self.numbers.pop(pid), code))


def fit(flags: list[str], threads: int, files: Sequence[int]) -> None:
    """Do what ``python -m litmlp fit`` does, which Lightning starts again for further devices.

    Args:
        flags: of the fit.
        threads: it computes with, unless its flags say otherwise.
        files: descriptors of its stdout, its stderr and, if it is to report, of a socket.
    """
    os.setpgid(0, 0)
    for stream, file in enumerate((os.open(os.devnull, os.O_RDONLY), *files[:2])):
        os.dup2(file, stream)
        if file > 2:
            os.close(file)
    os.environ["PYTHONPATH"] = python_path()
    if len(files) > 2:
        os.environ[VARIABLE] = str(files[2])
    use_threads(threads)
    sys.argv = ["litmlp", "fit", *flags]
    runpy.run_module("litmlp", run_name="__main__", alter_sys=True)


def be_process(work: Callable[[], object]) -> NoReturn:
    """Do the work of a forked process and end it, as Python would: not with what its parent was about to do."""
    code: object = 1
    try:
        work()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # Python prints it, too
        sys.excepthook(*sys.exc_info())
    finally:
        for output in (sys.stdout, sys.stderr):
            with suppress(OSError):
                output.flush()
        os._exit(code if isinstance(code, int) else 1)
