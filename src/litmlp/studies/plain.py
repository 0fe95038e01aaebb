"""Starts fits as ``python -m litmlp fit``, where processes can't be forked: each imports everything once more."""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from litmlp.training.reports import VARIABLE

FIT = [sys.executable, "-m", "litmlp", "fit"]
PACKAGES = str(Path(__file__).parents[2])  # where this package is found, installed or not
PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
ENDING = struct.Struct("!ii")  # of a fit: its number and exit code


def end_with_parent() -> None:
    """Have the kernel stop a fit as soon as its parent is killed: two fits in one run would write over each other."""
    if PRCTL is not None:
        PRCTL(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def python_path() -> str:
    """The PYTHONPATH of a process that is to find this package."""
    return os.pathsep.join(filter(None, [PACKAGES, os.environ.get("PYTHONPATH")]))


class PlainStarter:
    """Starts each fit as a process from scratch, in a process group of its own, as Ctrl-C reaches its parent only.

    Args:
        program: what is started, with the flags after it.

    Attributes:
        endings: where each fit's number and exit code arrive, as ``ENDING`` packs them.
    """

    def __init__(self, program: Sequence[str] = FIT) -> None:
        self.program = program
        self.endings, self.ending = socket.socketpair()
        self.fits: list[tuple[subprocess.Popen[bytes], threading.Thread]] = []

    def start(self, number: int, flags: list[str], threads: int, files: Sequence[int]) -> None:
        """Start a fit, as a :class:`litmlp.studies.jobs.Starter` does."""
        variables = {"PYTHONPATH": python_path(), "OMP_NUM_THREADS": str(threads)}
        options: dict[str, Any] = {}
        if os.name == "posix":
            options = {"process_group": 0, "preexec_fn": end_with_parent, "pass_fds": files[2:]}
        if os.name == "posix" and len(files) > 2:
            variables[VARIABLE] = str(files[2])
        process = subprocess.Popen(  # noqa: S603 (a list, which no shell reads)
            [*self.program, *flags],
            stdin=subprocess.DEVNULL,
            stdout=files[0],
            stderr=files[1],
            env=os.environ | variables,
            **options,
        )
        thread = threading.Thread(target=self._wait_for, args=(process, number), daemon=True)
        thread.start()
        self.fits.append((process, thread))

    def _wait_for(self, process: "subprocess.Popen[bytes]", number: int) -> None:
        code = process.wait()
        with suppress(OSError):  # nobody is left to know
            self.ending.sendall(ENDING.pack(number, code))

    def stop(self, signum: int) -> None:
        """Send a signal to all fits, and wait until they have ended. On Windows no process could answer one."""
        for process, _ in self.fits:
            if os.name == "posix":
                process.send_signal(signum)
            else:
                process.terminate()
        for _, thread in self.fits:
            thread.join()

    def close(self) -> None:
        """Close the sockets."""
        self.endings.close()
        self.ending.close()
