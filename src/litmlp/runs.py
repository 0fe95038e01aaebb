"""A run's folder: ``lightning_logs/<task>/<name>``, what lies in it, and how it is found again."""

import json
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml

from litmlp.checkpoints import RESUME_POINT, check_content, find_misfit, read_checkpoint, write_durably
from litmlp.errors import Failure, UsageError
from litmlp.tasks import TASKS

RESULTS = {"epochs": int, "steps": int, "seconds": float, "weights_sha256": str, "test": dict}


class Run:
    """One run's folder.

    Attributes:
        folder: holds the TensorBoard events and the files below.
        config: the settings, with which ``--config`` repeats the run.
        results: what the run reached, written last: a run that has it is complete.
        best: the weights with the lowest validation loss.
        last: the newest resume point; in a complete run the end of training.
        previous: the resume point before.
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
            Failure: if the folder can't be made.
        """
        version = 0
        while True:
            run = cls(logs / task / f"version_{version}")
            try:
                run.folder.mkdir(parents=True)
            except FileExistsError:
                version += 1
            except OSError as error:
                raise Failure(
                    f"can't make {run.folder} ({error.strerror}): choose another --default_root_dir"
                ) from None
            else:
                return run

    @classmethod
    def named(cls, logs: Path, task: str, name: str, flag: str = "--run") -> "Run":
        """The run of that name, which may not exist yet.

        Raises:
            UsageError: if the name isn't a plain folder name.
        """
        if not re.fullmatch(r"[\w][\w.+=-]*", name):
            raise UsageError(f"{flag} {name}: a run's name is made of letters, digits and _ . + = -")
        return cls(logs / task / name)

    @classmethod
    def containing(cls, path: str, logs: Path, flag: str = "--resume") -> "Run":
        """The run that a flag means: ``last`` for the newest one in ``logs``, a run's folder, or a checkpoint.

        Raises:
            Failure: if there is no run there.
        """
        if "://" in path:
            raise Failure(f"{flag} {path}: a URL is refused; download the run's folder first")
        if path == "last":
            configs = sorted(logs.glob("*/*/config.yaml"), key=lambda config: config.stat().st_mtime)
            if not configs:
                raise Failure(f"{flag} last: there is no run in {logs}")
            return cls(configs[-1].parent)
        # Unlike Path's methods, those of os.path say no where we have no rights to look.
        if not os.path.exists(path):  # noqa: PTH110
            raise Failure(f"{flag} {path}: there is no such run's folder or checkpoint")
        folder = Path(path) if os.path.isdir(path) else Path(path).parent.parent  # noqa: PTH112
        if not os.path.isfile(cls(folder).config):  # noqa: PTH113
            raise Failure(f"{flag} {path}: not a run's folder, nor a checkpoint in one (no {folder / 'config.yaml'})")
        return cls(folder)

    def open(self, settings: str, resume_point: Path | None) -> None:
        """Make the folder, if need be, and keep the settings in it; with other limits a complete run goes on.

        A last.ckpt that was passed over is set aside, lest it push the intact previous.ckpt out.

        Raises:
            Failure: if that can't be done.
        """
        try:
            self.best.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.folder, self.best.parent):
                TemporaryFile(
                    dir=folder
                ).close()  # says now, not at the first resume point, that it can't be written to
            if not self.config.exists() or self.config.read_text() != settings:
                self.results.unlink(missing_ok=True)
                write_durably(self.config, lambda path: path.write_text(settings))
            if resume_point == self.previous and self.last.exists():
                self.last.replace(self.last.with_name("last.ckpt.passed_over"))
        except OSError as error:
            raise cannot_write(self.config, error) from None

    def read_config(self) -> dict[str, Any] | None:
        """The settings of the run; None if there are none.

        Raises:
            Failure: if the file can't be read, or isn't a run's.
        """
        if not os.path.lexists(self.config):  # unlike Path.exists, it is False also where we have no rights to look
            return None
        settings = read_yaml(self.config)
        if settings.get("task") not in TASKS:
            raise Failure(f"{self.config} is damaged: it names no task of ours")
        return settings

    def write_results(self, results: dict[str, Any]) -> None:
        """Say that the run is complete, and what it reached."""
        write_durably(self.results, lambda path: path.write_text(json.dumps(results, indent=2) + "\n"))

    def read_results(self) -> dict[str, Any] | None:
        """What a complete run reached; None for another, and if it is damaged: then the test is made anew.

        Raises:
            Failure: if we have no rights to look, or there is a file where the folder should be.
        """
        try:
            results: Any = json.loads(self.results.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"can't read {self.results} ({error.strerror}): choose another --run") from None
        except ValueError:
            return None
        return None if find_misfit(results, RESULTS) is not None else dict(results)

    def newest_resume_point(self) -> tuple[Path | None, dict[str, Any]]:
        """The newest intact checkpoint to go on from, and its content; None and {} if there is none.

        Damaged ones are named on stderr and passed over.
        """
        for path in (self.last, self.previous):
            if path.exists():
                try:
                    return path, read_resume_point(path)
                except Failure as failure:
                    print(f"passed over: {failure}", file=sys.stderr)
        return None, {}


def logs_folder(default_root_dir: str | None) -> Path:
    """Where runs land."""
    return Path(default_root_dir or ".") / "lightning_logs"


def cannot_write(path: Path, error: OSError) -> Failure:
    """What to say about a place that can't be written to."""
    return Failure(f"can't write {path} ({error.strerror}): make room or rights, or choose another --default_root_dir")


def read_resume_point(path: Path) -> dict[str, Any]:
    """Read a checkpoint to go on from.

    Raises:
        Failure: if it can't be read, or holds weights only.
    """
    checkpoint = read_checkpoint(path)
    if "loops" not in checkpoint:
        raise Failure(f"{path} holds weights only: to go on, name its run's folder, {path.parent.parent}")
    check_content(checkpoint, RESUME_POINT, path)
    return checkpoint


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping of settings.

    Raises:
        Failure: if the file can't be read or isn't one.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{path} isn't YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise Failure(f"{path} is no mapping of settings, with a line 'flag: value' for each")
    return content
