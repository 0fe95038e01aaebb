"""Runs scripts in processes that have imported our modules already, which takes most of a command's time."""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = ("fit", "by_hand", "compare", "export", "predict", "search", "serve", "test")


@cache
def processes() -> ForkServerContext:
    """Starts such processes. They are forked from one that computes nothing, and so has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"litmlp.commands.{name}" for name in COMMANDS])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))  # where it finds what it preloads
        context.Process().start()  # nothing: so that the process that forks starts now
    return context


def run_python(
    arguments: list[str],
    folder: str,
    output: str,
    errors: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """What ``python …`` does in a folder.

    Args:
        arguments: after ``python``.
        folder: the working folder.
        output: the file that stdout goes to, without ``errors`` also stderr.
        errors: the file that stderr goes to.
        environment: the whole one, if it isn't that of this process.
    """
    os.dup2(os.open(output, os.O_WRONLY), 1)
    os.dup2(1 if errors is None else os.open(errors, os.O_WRONLY), 2)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", encoding="utf-8", closefd=False) for stream in (1, 2))
    os.chdir(folder)
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def run_session(arguments: list[str], folder: str, output: str, errors: str, environment: Mapping[str, str]) -> None:
    """What ``python …`` does in a session of its own."""
    os.setsid()
    run_python(arguments, folder, output, errors, environment)


class Session:
    """Such a process in a session of its own, with the part of ``subprocess.Popen`` that tests use.

    Args:
        arguments: after ``python``.
        environment: the whole one.
        folder: for the pipes that its output goes through.
    """

    def __init__(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        pipes = [folder / "stdout", folder / "stderr"]
        for pipe in pipes:
            os.mkfifo(pipe)
        output, errors = map(str, pipes)
        target = (arguments, str(Path.cwd()), output, errors, environment)
        self.process = processes().Process(target=run_session, args=target)
        self.process.start()
        assert self.process.pid is not None
        self.pid = self.process.pid
        self.pipes = [pipe.open(encoding="utf-8") for pipe in pipes]  # when it has its session

    @property
    def returncode(self) -> int | None:
        """Its exit code, if it has ended."""
        return self.process.exitcode

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signum)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def communicate(self) -> tuple[str, str]:
        """Wait for its end, and that of all that it started: what they printed, and what they said on stderr."""
        output, errors = ("" if pipe.closed else pipe.read() for pipe in self.pipes)
        for pipe in self.pipes:
            pipe.close()
        self.process.join()
        return output, errors
