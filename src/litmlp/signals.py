"""SIGTERM and Ctrl-C, from the first moment of a command to its last."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn


class Interruption:
    """What a signal does.

    As long as there is nothing to save, a signal ends the process at once. While ``deferred``, the first signal
    is only noted in ``signum``, for the training to save a resume point at the next place where that is exact,
    and to call :meth:`leave`; a second one ends the process at once.

    Attributes:
        signum: the signal that was noted; 0 for none.
        deferred: whether the next signal is to be noted.
        command: how the command is called, for its last line.
        advice: how to continue, for its last line.
        before_leaving: what to do about other processes.
        cleanup: what to give back before the process ends.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.deferred = False
        self.command = ""
        self.advice = ""
        self.before_leaving: Callable[[int], object] | None = None
        self.cleanup: Callable[[], object] | None = None

    def install(self) -> None:
        """Take over both signals."""
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if self.deferred and not self.signum:
            self.signum = signum
        else:
            self.leave(signum)

    def leave(self, signum: int) -> NoReturn:
        """End the process with the signal's exit code: 130 for SIGINT, 143 for SIGTERM.

        It ends without unwinding: an exception from a signal handler could come up anywhere, in the middle of an
        import, say, which would swallow it or print a traceback.
        """
        if self.before_leaving is not None:
            self.before_leaving(signum)
        if self.cleanup is not None:
            self.cleanup()
        line = f"\n{self.command}: stopped by {signal.Signals(signum).name}"
        with suppress(OSError):  # whoever read the output may have gone
            sys.stdout.flush()
        with suppress(OSError):
            os.write(2, f"{line}{self.advice and '; '}{self.advice}\n".encode())
        os._exit(128 + signum)


INTERRUPTION = Interruption()
