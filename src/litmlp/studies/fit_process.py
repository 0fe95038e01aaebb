"""``litmlp fit`` as a process of its own, so that a fit of a comparison is an ordinary run, to the last bit."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from litmlp.errors import Failure
from litmlp.signals import INTERRUPTION

FIT = [sys.executable, "-m", "litmlp", "fit"]
PACKAGES = str(Path(__file__).parents[2])  # where this package is found, installed or not
PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def end_with_parent() -> None:
    """Have the kernel stop a fit as soon as this process is killed: two fits in one run would write over each other."""
    if PRCTL is not None:
        PRCTL(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


OPTIONS: dict[str, Any] = {"process_group": 0, "preexec_fn": end_with_parent} if os.name == "posix" else {}


def make(flags: list[str], program: list[str] = FIT) -> None:
    """Run it with these flags. It gets our signals; if it fails, this process ends with its line and exit code.

    Its group is its own: the terminal's Ctrl-C would reach it beside the one that we pass on, and a second one ends
    a fit before it has saved. What it prints on stderr is shown when it has ended, since at a signal we say it.

    Raises:
        Failure: if it was killed.
    """
    with TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 (a list, which no shell reads)
            [*program, *flags],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [PACKAGES, os.environ.get("PYTHONPATH")]))},
            stderr=errors,
            **OPTIONS,
        )

        def pass_on(signum: int) -> None:
            if os.name != "posix":  # Windows knows no signals that a process could answer
                process.terminate()
                return
            process.send_signal(signum)
            with suppress(ChildProcessError):
                os.waitpid(process.pid, 0)  # Popen.wait would wait for its own lock, which the main thread holds

        INTERRUPTION.before_leaving = pass_on
        code = process.wait()
        INTERRUPTION.before_leaving = None
        errors.seek(0)
        sys.stderr.write(errors.read().decode(errors="replace"))
    if code < 0:
        raise Failure(f"the fit was killed by {signal.Signals(-code).name}: {INTERRUPTION.advice}")
    if code:
        sys.exit(code)
