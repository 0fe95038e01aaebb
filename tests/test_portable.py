"""What Windows, macOS and terminals of other encodings do differently, as far as Linux can show it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempprefix

import pytest
import torch

from litmlp import UsageError
from litmlp.runs import RESERVED, Run, logs_folder
from tests.conftest import ROOT, Fit, points_everywhere

ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},  # as where Windows redirects
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
]


def is_open(path: Path) -> bool:
    """Whether this process has the file open or mapped."""
    opened = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return str(path.resolve()) in [*opened, *re.findall(r"/.*$", Path("/proc/self/maps").read_text(), re.MULTILINE)]


def test_a_run_is_made_and_resumed_as_on_windows(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """There no folder is opened, and no file renamed, replaced or removed that is open."""
    open_anything, replaced = os.open, list[str]()

    def open_as_windows(path: str | Path, flags: int, *arguments: int, **options: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return open_anything(path, flags, *arguments, **options)

    def as_windows(function: Callable[..., None]) -> Callable[..., None]:
        def call(*paths: str | Path, **options: int) -> None:
            for path in map(Path, paths):
                if is_open(path) and not path.name.startswith(gettempprefix()):  # TemporaryFile has another way there
                    raise PermissionError(13, "The process cannot access the file", str(path))
                replaced.append(path.name)
            function(*paths, **options)

        return call

    monkeypatch.setattr(os, "open", open_as_windows)
    for name in ("replace", "rename", "unlink", "remove"):
        monkeypatch.setattr(os, name, as_windows(getattr(os, name)))
    run_fit("--max_epochs", "1", "--schedule", "constant")
    run = run_fit("--max_epochs", "2", points=points_everywhere())
    assert torch.load(run.last, weights_only=True)["global_step"] == 40
    assert run.best.is_file()
    assert (run.read_results() or {})["epochs"] == 2
    assert set(replaced) >= {"last.ckpt", "previous.ckpt", "best.ckpt", "config.yaml", "results.json", ".lock"}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=["cp1252", "ascii"])
@pytest.mark.slow
def test_output_that_an_encoding_does_not_have_is_replaced(encoding: dict[str, str], run_fit: Fit) -> None:
    run = run_fit("--max_epochs", "1", task="log")
    commands = {
        "predict": ["--ckpt", str(run.best), "0.1,0.2"],
        "test": ["--ckpt", str(run.best), "--default_root_dir", str(run.folder.parents[2])],
        "fit": ["--task", "log", "--help"],
        "tensors": [],
    }
    environment = {**os.environ, **encoding}
    for name, flags in commands.items():
        command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *flags]
        ended = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert (ended.returncode, ended.stderr) == (0, b""), name
    assert subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "predict.py"), *commands["predict"]],
        capture_output=True, env=environment, check=True,
    ).stdout.startswith(b"0.1,0.2  log(x + y) ? 0")  # fmt: skip


@pytest.mark.parametrize("name", ["\udcff.yaml", "\x1b[2Jx", "a\nb"])
def test_names_that_are_no_text_hold_no_runs(name: str) -> None:
    with pytest.raises(UsageError, match=": the name isn't UTF-8, or has control characters in it$"):
        logs_folder(name)
    assert logs_folder("日本\u3000é") == Path("日本\u3000é") / "lightning_logs"


@pytest.mark.parametrize("name", ["CON", "nul", "com1.txt", "Lpt9", "run."])
def test_names_that_windows_reserves_name_no_run(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}: Windows has no folder of that name; choose another$"):
        Run.named(Path("logs"), "xor", name)
    assert len(RESERVED) == 24
