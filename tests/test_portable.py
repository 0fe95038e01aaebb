"""What Windows, macOS and terminals of other encodings do differently, as far as Linux can show it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from litmlp import UsageError
from litmlp.runs import RESERVED, Run, logs_folder
from tests.conftest import ROOT, Fit

ENCODINGS = [
    {"PYTHONIOENCODING": "cp1252"},  # as where Windows redirects
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
]


def test_checkpoints_are_written_where_folders_can_not_be_opened(run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    open_anything = os.open

    def open_as_windows(path: str | Path, flags: int, *arguments: int, **options: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return open_anything(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", open_as_windows)
    run = run_fit("--max_epochs", "1")
    assert run.last.is_file()
    assert run.best.is_file()
    assert run.read_results() is not None


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
