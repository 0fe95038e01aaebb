"""The commands as processes, on the GPU or without it."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from litmlp.runs import Run
from tests.conftest import ROOT

# Noted at the beginning: a training on the CPU in this process hides the GPU from those that come after.
VISIBLE = {name: value for name, value in os.environ.items() if name == "CUDA_VISIBLE_DEVICES"}
OTHERS = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
PATHS = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "OMP_NUM_THREADS": "1"}
ON_GPU = {**OTHERS, **VISIBLE, **PATHS}
WITHOUT_GPU = {**OTHERS, **PATHS, "CUDA_VISIBLE_DEVICES": ""}


def command_line(name: str, *flags: str | Path) -> list[str]:
    """A script with its flags."""
    return [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, flags)]


def finish(
    cwd: Path, name: str, *flags: str | Path, environment: dict[str, str] = ON_GPU
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, which has to be a good one with nothing on stderr but notes."""
    command = command_line(name, *flags)
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stderr.splitlines() if not line.startswith("note: ")] == []
    return ended


def call(cwd: Path, name: str, *flags: str | Path, environment: dict[str, str] = ON_GPU) -> str:
    """Run a script to its end: what is on stdout."""
    return finish(cwd, name, *flags, environment=environment).stdout


def fit(cwd: Path, name: str, *flags: str, environment: dict[str, str] = ON_GPU) -> Run:
    """Fit a run, of digits unless the flags say otherwise, on the GPU."""
    task = flags[flags.index("--task") + 1] if "--task" in flags else "digits"
    where = [] if "--accelerator" in flags else ["--accelerator", "gpu"]
    named = [] if "--task" in flags else ["--task", task]
    said = call(cwd, "fit", "--run", name, *named, *where, *flags, environment=environment)
    if "--accelerator" not in flags:
        assert re.search(r"^device +cuda \(", said, re.MULTILINE)
    return Run(cwd / "lightning_logs" / task / name)


def digest(run: Run) -> str:
    """The digest of a complete run's last weights."""
    return str(json.loads(run.results.read_text())["weights_sha256"])


def kill(cwd: Path, signum: int, line: str, delay: float, *flags: str) -> None:
    """Start a fit on the GPU, and send it a signal so many seconds after a line that begins so."""
    process: subprocess.Popen[Any] = subprocess.Popen(
        command_line("fit", "--accelerator", "gpu", *flags),
        cwd=cwd, env=ON_GPU, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert any(text.startswith(line) for text in process.stdout)
    time.sleep(delay)
    process.send_signal(signum)
    _, errors = process.communicate()
    assert process.returncode in (-signum, 128 + signum), errors
