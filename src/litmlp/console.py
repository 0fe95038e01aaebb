"""What every command shares: how it begins, and the one line and the exit code with which it ends."""

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NoReturn

from litmlp.errors import Failure, UsageError


class Interruption:
    """SIGTERM and Ctrl-C, from the first moment of a command to its last.

    As long as there is nothing to save, a signal ends the process at once. While ``deferred``, the first signal
    is only noted in ``signum``, for the training to save a resume point at the next place where that is exact,
    and to call :meth:`leave`; a second one ends the process at once.

    Attributes:
        signum: the signal that was noted; 0 for none.
        deferred: whether the next signal is to be noted.
        advice: what to tell about going on.
        before_leaving: what to do about other processes.
    """

    def __init__(self) -> None:
        self.signum = 0
        self.deferred = False
        self.advice = ""
        self.before_leaving: Callable[[int], object] | None = None

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
        sys.stdout.flush()
        line = f"\n{Path(sys.argv[0]).name}: stopped by {signal.Signals(signum).name}"
        os.write(2, f"{line}{self.advice and '; '}{self.advice}\n".encode())
        os._exit(128 + signum)


INTERRUPTION = Interruption()


def run(module: str) -> NoReturn:
    """Run a module's ``main(argv)`` as a command.

    The module is imported behind the signal handlers, since importing torch takes seconds. What the user can
    mend becomes one line on stderr, and exit code 2 (usage) or 1 (failure); a bug of ours keeps its traceback.
    """
    INTERRUPTION.install()
    try:
        import_module(module).main(sys.argv[1:])
    except (UsageError, Failure) as error:
        if os.environ.get("LOCAL_RANK", "0") == "0" or isinstance(error, Failure):
            print(f"{Path(sys.argv[0]).name}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:  # whoever read our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
