"""The flags of the commands that use a trained model."""

import argparse
from pathlib import Path
from typing import NoReturn

from litmlp.errors import Failure, UsageError
from litmlp.runs import Run, logs_folder


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes no abbreviations, and tells of a wrong flag by a UsageError."""

    def __init__(self, prog: str | None = None, description: str | None = None, add_help: bool = True) -> None:
        super().__init__(prog, description=description, add_help=add_help, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise the UsageError."""
        raise UsageError(message)


def parser_with_ckpt(prog: str, description: str) -> Parser:
    """A parser that has the flags that say which checkpoint is meant."""
    parser = Parser(prog, description)
    parser.add_argument(
        "--ckpt",
        required=True,
        help="a checkpoint, a run's folder (its best checkpoint), or 'last' for the newest run",
    )
    parser.add_argument("--default_root_dir", metavar="DIR", help="where lightning_logs is; here unless told otherwise")
    return parser


def checkpoint_of(flags: argparse.Namespace) -> Path:
    """The checkpoint file that ``--ckpt`` names. It needs no run around it.

    Raises:
        Failure: if there is none.
    """
    if Path(flags.ckpt).is_file():
        return Path(flags.ckpt)
    run = Run.containing(flags.ckpt, logs_folder(flags.default_root_dir), "--ckpt")
    for path in (run.best, run.last):
        if path.is_file():
            return path
    raise Failure(f"--ckpt {flags.ckpt}: the run {run.folder} has no checkpoint yet")
