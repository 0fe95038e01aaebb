"""The flags of the commands that use a trained model."""

import argparse
import os
from pathlib import Path

from litmlp.errors import Failure, about
from litmlp.flags import Parser
from litmlp.runs import Run, logs_folder


def parser_with_ckpt(prog: str, description: str) -> Parser:
    """A parser that has the flags that say which checkpoint is meant."""
    parser = Parser(prog, description)
    parser.add_argument(
        "--ckpt",
        required=True,
        help="a checkpoint, a run's folder (its best checkpoint), or 'last' for the newest run",
    )
    parser.add_argument("--default_root_dir", metavar="DIR", help="where lightning_logs is; here by default")
    return parser


def checkpoint_of(flags: argparse.Namespace) -> Path:
    """The checkpoint file that ``--ckpt`` names. It needs no run around it.

    Raises:
        Failure: if there is none.
    """
    # Unlike Path.is_file, this one says no where there can't be such a file.
    if os.path.isfile(flags.ckpt):  # noqa: PTH113
        return Path(flags.ckpt)
    with about("--ckpt"):
        run = Run.containing(flags.ckpt, logs_folder(flags.default_root_dir))
    for path in (run.best, run.last):
        if os.path.isfile(path):  # noqa: PTH113
            return path
    raise Failure(f"--ckpt {flags.ckpt}: the run {run.folder} has no checkpoint yet")
