"""How every command begins, and the one line and the exit code with which it ends."""

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

from litmlp.errors import Failure, UsageError, one_line
from litmlp.files import output_fails
from litmlp.flags import check_values
from litmlp.signals import INTERRUPTION


def run(command: str, name: str, argv: list[str]) -> NoReturn:
    """Run a command of this folder, and end the process.

    Its module is imported after the signal handlers are installed, since importing torch takes seconds. What the
    user can mend becomes one line on stderr, and exit code 2 (usage) or 1 (failure); a bug of ours keeps its traceback.

    Args:
        command: the module whose ``main(argv)`` it is.
        name: what it was called as, for its messages.
        argv: its flags.
    """
    INTERRUPTION.command = name
    INTERRUPTION.install()
    for stream in (sys.stdout, sys.stderr):  # a terminal or pipe of another encoding gets ? for what it doesn't know
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            check_values(argv)
            import_module(f"litmlp.commands.{command}").main(argv)
        finally:
            sys.stdout.flush()
    except (UsageError, Failure) as error:
        if os.environ.get("LOCAL_RANK", "0") == "0" or isinstance(error, Failure):
            print(one_line(f"{name}: {error}"), file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except BrokenPipeError:  # whoever read our output, `head` say, has seen enough
        discard_output()
        sys.exit(1)
    except OSError as error:
        if not output_fails():
            raise
        print(f"{name}: can't write what is printed ({error.strerror})", file=sys.stderr)
        discard_output()
        sys.exit(1)
    sys.exit(0)


def discard_output() -> None:
    """Have Python, which writes what is left of the output when it ends, write it to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
