"""A run's folder: ``lightning_logs/<task>/<name>``, what lies in it, and how it is found again."""

import json
import os
import re
import unicodedata
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from litmlp.errors import Failure, UsageError
from litmlp.files import LARGEST_SETTINGS, read_regular, read_yaml, write_durably
from litmlp.structure import find_mismatch

# Names of devices, whatever follows after a dot.
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}
RESULTS = {"epochs": int, "steps": int, "seconds": float, "weights_sha256": str, "test": dict}


class Run:
    """One run's folder.

    Attributes:
        folder: holds the TensorBoard events and the files below.
        config: the settings, with which ``--config`` repeats the run.
        results: what the run reached, written last: a run that has it is complete.
        best: the weights with the lowest validation loss.
        last: the newest resume point; in a complete run the end of training.
        previous: the resume point before that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.results = folder / "results.json"
        self.best = folder / "checkpoints" / "best.ckpt"
        self.last = folder / "checkpoints" / "last.ckpt"
        self.previous = folder / "checkpoints" / "previous.ckpt"

    @classmethod
    def new(cls, logs: Path, task: str) -> "Run":
        """Reserve the next ``version_N`` in ``logs/<task>``, also while other processes do the same.

        Raises:
            OSError: if the folder can't be made.
        """
        version = 0
        while True:
            run = cls(logs / task / f"version_{version}")
            try:
                run.folder.mkdir(parents=True)
            except FileExistsError:
                version += 1
            else:
                return run

    @classmethod
    def named(cls, logs: Path, task: str, name: str) -> "Run":
        """The run of that name, which may not exist yet.

        Raises:
            UsageError: if the name isn't a plain folder name, on every system.
        """
        if not re.fullmatch(r"[\w][\w.+=-]*", name) or len(name.encode()) > 200:
            raise UsageError(f"{name}: a run's name is made of letters, digits and _ . + = -")
        if name.endswith(".") or name.partition(".")[0].upper() in RESERVED:
            raise UsageError(f"{name}: Windows has no folder of that name; choose another")
        return cls(logs / task / name)

    @classmethod
    def containing(cls, path: str, logs: Path) -> "Run":
        """The run that a path means: ``last`` for the newest one in ``logs``, a run's folder, or a checkpoint in one.

        Raises:
            Failure: if there is no run there.
        """
        if "://" in path:
            raise Failure(f"{path}: a URL is refused; download the run's folder first")
        if path == "last":
            configs = sorted(logs.glob("*/*/config.yaml"), key=lambda config: config.stat().st_mtime)
            if not configs:
                raise Failure(f"last: there is no run in {logs}")
            return cls(configs[-1].parent)
        # Unlike Path's methods, those of os.path say no where we have no rights to look.
        if not path or not os.path.exists(path):  # noqa: PTH110
            raise Failure(f"{path}: there is no such run's folder or checkpoint")
        folder = Path(path) if os.path.isdir(path) else Path(path).parent.parent  # noqa: PTH112
        if not os.path.isfile(cls(folder).config):  # noqa: PTH113
            raise Failure(f"{path}: not a run's folder, nor a checkpoint in one (no {folder / 'config.yaml'})")
        return cls(folder)

    def check_replaceable(self, resume_point: Path | None) -> None:
        """Check that there are no folders where checkpoints are to be, which no file can replace.

        Raises:
            Failure: if there is one, other than a last.ckpt that :meth:`open` sets aside.
        """
        paths = (self.best, self.previous) if resume_point == self.previous else (self.best, self.last, self.previous)
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                raise Failure(f"{path} is a folder: remove it, or choose another run")

    def open(self, settings: str, resume_point: Path | None) -> None:
        """Make the folder, if need be, and keep the settings in it; with other limits a complete run continues.

        A last.ckpt that was skipped is set aside, lest it push the intact previous.ckpt out.

        Raises:
            OSError: if that can't be done.
        """
        self.best.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.best.parent):
            TemporaryFile(dir=folder).close()  # fails now, not at the first resume point
        if not self.config.exists() or self.config.read_text(encoding="utf-8") != settings:
            self.results.unlink(missing_ok=True)
            write_durably(self.config, lambda path: path.write_text(settings, encoding="utf-8"))
        if resume_point == self.previous and self.last.exists():
            self.last.replace(self.last.with_name("last.ckpt.skipped"))

    def resume_points(self) -> list[tuple[int, int]]:
        """What shows whether the resume points have been replaced: their inodes and times."""
        found = [path.stat() for path in (self.last, self.previous) if path.exists()]
        return [(status.st_ino, status.st_mtime_ns) for status in found]

    def comments(self) -> str:
        """The comments above the settings in config.yaml, a line each; empty where there are none."""
        if not self.config.is_file():
            return ""
        lines = self.config.read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(takewhile(lambda line: line.startswith("#"), lines))

    def read_config(self) -> dict[str, Any] | None:
        """The settings of the run; None if there are none.

        Raises:
            Failure: if the file can't be read, or isn't a run's.
        """
        if not os.path.lexists(self.config):  # unlike Path.exists, it is False also where we have no rights to look
            return None
        settings = read_yaml(self.config)
        if not isinstance(settings.get("task"), str):
            raise Failure(f"{self.config} is damaged: it names no task")
        return settings

    def write_results(self, results: dict[str, Any]) -> None:
        """Say that the run is complete, and what it reached."""
        content = json.dumps(results, indent=2) + "\n"
        write_durably(self.results, lambda path: path.write_text(content, encoding="utf-8"))

    def read_results(self) -> dict[str, Any] | None:
        """What a complete run reached; None for another, and if it is damaged: then the test is made again.

        Raises:
            Failure: if we have no rights to look, or there is a file where the folder should be.
        """
        try:
            results: Any = json.loads(read_regular(self.results, LARGEST_SETTINGS))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"can't read {self.results} ({error.strerror}): choose another run") from None
        except (ValueError, RecursionError):
            return None
        return None if find_mismatch(results, RESULTS) is not None else dict(results)


def logs_folder(default_root_dir: str | None) -> Path:
    """Where runs are.

    Raises:
        UsageError: if its name is no text, which TensorBoard needs, or could control a terminal, on which it is shown.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in default_root_dir or ""):
        raise UsageError(
            f"--default_root_dir {default_root_dir}: the name isn't UTF-8, or has control characters in it"
        )
    return Path(default_root_dir or ".") / "lightning_logs"
