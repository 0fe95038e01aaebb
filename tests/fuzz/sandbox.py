"""Runs a case in a forked process: in a folder of its own, with limits on memory and time."""

import atexit
import faulthandler
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple, NoReturn

MEMORY = 4 * 2**30  # bytes that a case may add to the address space
FILE_SIZE = 2**29  # bytes of the largest file that a case may write
PATIENCE = 20.0  # seconds without any output or change of a file, after which a case of one process counts as hanging
ENOUGH = 4.0  # seconds of training, after which the case is asked to stop
UNCAUGHT = 70  # the exit code of a case that ended in an exception
# An epoch's line, a progress bar, or a server's line: what has no end of its own.
TRAINS = re.compile(rb"^epoch |Epoch |Ctrl-C stops", re.MULTILINE)
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "http_proxy": "http://127.0.0.1:9",  # nobody listens there: downloads fail at once
    "https_proxy": "http://127.0.0.1:9",
    "OMP_NUM_THREADS": "1",
}

Tree = dict[str, tuple[int, ...]]


class Ending(NamedTuple):
    """How a case ended.

    Attributes:
        code: the exit code; negative for a signal.
        out: what is on stdout.
        err: what is on stderr.
        changes: the paths that were made, changed or removed.
        stopped: whether it was asked to stop, as it went on training.
        hung: whether it made no progress, and was killed.
        orphans: whether it left processes.
    """

    code: int
    out: str
    err: str
    changes: list[str]
    stopped: bool
    hung: bool
    orphans: bool


class Box:
    """A case's folder: ``work`` to run in, ``home``, ``tmp``, and beside them what it printed.

    Args:
        folder: is replaced.
        base: what is in ``work`` at the beginning.
    """

    def __init__(self, folder: Path, base: Path | None) -> None:
        self.folder = folder
        self.work = folder / "work"
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("home", "tmp"):
            (folder / name).mkdir(parents=True)
        if base is None:
            self.work.mkdir()
        else:
            shutil.copytree(base, self.work)

    def run(self, act: Callable[[], object], encoding: str = "utf-8", enough: float = ENOUGH) -> Ending:
        """Call a function in a forked process, and watch it to its end, or for so many seconds of training."""
        before = self.tree()
        pid = self.fork(act, encoding)
        code, stopped, hung = self.watch(pid, enough)
        orphans = kill_group(pid)
        out, err = (self.printed(name).decode(encoding, errors="replace") for name in ("out", "err"))
        after = self.tree()
        changes = sorted(path for path in {**before, **after} if before.get(path) != after.get(path))
        return Ending(code, out, err, changes, stopped, hung, orphans)

    def fork(self, act: Callable[[], object], encoding: str = "utf-8") -> int:
        """Call a function in a forked process, and return its number."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be_the_child(act, encoding)
        return pid

    def _be_the_child(self, act: Callable[[], object], encoding: str) -> NoReturn:
        code = UNCAUGHT
        try:
            self._enter(encoding)
            act()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        try:  # what an interpreter does at its end, without the time that it takes to tidy up torch
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            traceback.print_exc()
            code = UNCAUGHT
        os._exit(code)

    def _enter(self, encoding: str) -> None:
        os.setsid()
        os.chdir(self.work)
        os.environ.update(ENVIRONMENT, HOME=str(self.folder / "home"), TMPDIR=str(self.folder / "tmp"))
        tempfile.tempdir = None
        for descriptor, name in ((1, "out"), (2, "err")):
            file = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, descriptor)
            os.close(file)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        for stream in (sys.stdout, sys.stderr):
            assert isinstance(stream, TextIOWrapper)
            stream.reconfigure(encoding=encoding, errors="strict" if stream is sys.stdout else "backslashreplace")
        faulthandler.enable()  # says where, when the watchdog kills
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
        for kind, most in ((resource.RLIMIT_AS, limit), (resource.RLIMIT_FSIZE, FILE_SIZE), (resource.RLIMIT_CORE, 0)):
            resource.setrlimit(kind, (most, most))

    def watch(self, pid: int, enough: float) -> tuple[int, bool, bool]:
        """The exit code, whether the process was asked to stop, and whether it hung."""
        descriptor = os.pidfd_open(pid)
        start = progress = clock(pid)
        seen, stopped, hung = -1, False, False
        while not select.select([descriptor], [], [], 0.5)[0]:
            now, printed = clock(pid), self.printed("out") + self.printed("err")
            if len(printed) != seen:
                seen, progress = len(printed), now
            if hung and now - progress > 2 * PATIENCE:
                os.kill(pid, signal.SIGKILL)
            elif not hung and now - progress > PATIENCE * processes(pid):
                hung = True
                os.kill(pid, signal.SIGABRT)
            elif not stopped and now - start > enough and TRAINS.search(printed):
                stopped = True
                os.kill(pid, signal.SIGTERM)
        os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), stopped, hung

    def printed(self, name: str) -> bytes:
        """What is on stdout or stderr so far."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else b""

    def tree(self) -> Tree:
        """Every file and folder, and what shows that it was touched."""
        found: Tree = {}
        for parent, folders, files in os.walk(self.folder):
            for name in [*folders, *files]:
                path = os.path.join(parent, name)  # noqa: PTH118 (names need be no text)
                relative = os.path.relpath(path, self.folder)
                status = os.lstat(path)
                entry = (status.st_mode,) if name in folders else (status.st_mode, status.st_size, status.st_mtime_ns)
                if relative not in ("out", "err"):
                    found[relative] = entry
        return found


def clock(pid: int) -> float:
    """Seconds that pass for a process: without those for which others had the CPUs that it could have used."""
    return time.monotonic() - int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def processes(pid: int) -> int:
    """How many processes a case has: itself and those it started, for which it waits while they share the CPU."""
    return 1 + len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def kill_group(pid: int) -> bool:
    """Kill a process's group, if there is still one after the time that an interpreter may need to end; whether so."""
    end = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(pid, 0)
            time.sleep(0.05)
        os.killpg(pid, signal.SIGKILL)
        return True
    return False
