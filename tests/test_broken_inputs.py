"""Every kind of broken input, from broken_inputs.yaml: one line on stderr, its exit code, and nothing touched."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from litmlp.commands import fit
from litmlp.commands.console import run
from litmlp.tasks import TASKS, find_task
from tests.broken_files import LAST, Prepare

ROOT = Path(__file__).parents[1]
CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "broken_inputs.yaml").read_text())
NOBODY = 65534


def name_of(case: dict[str, Any]) -> str:
    """What a case is called in pytest's output."""
    given = {key: value for key, value in case.items() if key not in ("flags", "line", "code")}
    return " ".join([case["flags"], *map(str, given.values())])[:100]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a complete run that is called ``base``."""
    folder = tmp_path_factory.mktemp("base")
    flags = "--task xor --run base --max_epochs 2 --hidden [4] --accelerator cpu --default_root_dir"
    fit.main([*flags.split(), str(folder)])
    config = folder / "lightning_logs" / "xor" / "base" / "config.yaml"
    config.write_text(config.read_text().replace(str(folder), "."))
    return folder


def prepare(case: dict[str, Any], base: Path) -> None:
    """Fill the working folder, as the case says."""
    shutil.copytree(base, ".", dirs_exist_ok=True)
    if "prepare" in case:
        getattr(Prepare(), case["prepare"])()
    for path, content in case.get("files", {}).items():
        Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
    if "edit" in case:
        content = inside = torch.load(LAST, weights_only=True)
        *keys, last = case["edit"]
        for key in keys:
            inside = inside[key]
        inside[last] = case["to"]
        torch.save(content, LAST)
    Path().chmod(0o755)


def tree() -> dict[Path, tuple[int, ...]]:
    """Every file and folder below the working folder, and what shows that it was touched."""
    return {
        path: (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
        for path in Path().rglob("*")
        for status in [path.lstat()]
    }


def matches(line: str, told: str) -> bool:
    """Whether what was told on stderr is this one line, in which ``...`` stands for anything."""
    return re.fullmatch(re.escape(f"fit.py: {line}\n").replace(r"\.\.\.", ".*"), told) is not None


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_broken_input_ends_in_one_line(
    case: dict[str, Any],
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if find_spec(case.get("without", "absent")) is not None:
        pytest.skip(f"{case['without']} is installed")
    monkeypatch.chdir(tmp_path)
    prepare(case, base)
    before = tree()
    for name, value in case.get("environment", {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it would keep a case's proxies for all later tests
    capfd.readouterr()
    without_rights = "rights" in case
    if without_rights:
        if os.geteuid() != 0:
            pytest.skip("only root can be somebody else")
        _ = [find_task(task) for task in TASKS]  # imports what somebody else may not be allowed to read
        os.seteuid(NOBODY)
    try:
        with pytest.raises(SystemExit) as end:
            run("fit", "fit.py", shlex.split(case["flags"]))
    finally:
        if without_rights:
            os.seteuid(0)
    out, err = capfd.readouterr()
    assert matches(case["line"], err), err
    assert (end.value.code, out) == (case["code"], "")
    assert tree() == before


def test_a_process_ends_so_too(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = [case for case in CASES if "process" in case]
    monkeypatch.chdir(tmp_path)
    prepare(case, base)
    before = tree()
    command = [sys.executable, str(ROOT / "scripts" / "fit.py"), *shlex.split(case["flags"])]
    environment = {**os.environ, **case["environment"]}  # torch reads it when it is imported
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert matches(case["line"], ended.stderr), ended.stderr
    assert (ended.returncode, ended.stdout) == (case["code"], "")
    assert tree() == before


LONG_NUMBER = "1" + "0" * 400  # more than a float can be


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--hidden", f"[{LONG_NUMBER}]"], f"--hidden [{LONG_NUMBER}]: each width must be from 1 to 2**31 - 1"),
        (
            ["--max_epochs", LONG_NUMBER],
            f"--max_epochs {LONG_NUMBER}: must be at least 1, or -1 to train until it is stopped",
        ),
        (["--limit_train_batches", LONG_NUMBER], "--limit_train_batches 1...0: int too large to convert to float"),
        (["--limit_predict_batches", LONG_NUMBER], "--limit_predict_batches 1...0: int too large to convert to float"),
        (["--lr", LONG_NUMBER], "a number is too large: the largest is 1.8e+308"),
        (["--accelerator", "cpu", "--devices", "9" * 5_000], "--devices 9...9: must be at most 1024"),
        (["--seed", "0x" + "f" * 5_000], "--seed 0xf...f: must be a whole number"),
        (["--augment", "[" * 5_000], "--augment ...: must be settings like '{name: value}'"),
    ],
    ids=["widths", "epochs", "train", "predict", "float", "devices", "hexadecimal", "nested"],
)
def test_so_does_a_long_value(flags: list[str], line: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run("fit", "fit.py", flags)
    out, err = capfd.readouterr()
    assert matches(line, err), err[:1000]
    assert (end.value.code, out) == (2, "")
