"""Runs scripts in processes that have imported our modules already, which takes most of a command's time."""

import multiprocessing
import os
import runpy
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
