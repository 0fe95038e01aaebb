"""A short, seeded part of ``python -m tests.fuzz``: each kind of input, and nothing but one line for what is wrong."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

COUNTS = "flags=20,commands=15,files=15,checkpoints=20,images=10,tables=15,requests=100"


@pytest.mark.slow
def test_no_input_ends_in_a_traceback_a_hang_or_a_leftover() -> None:
    """In a process of its own, which forks one for each case: here threads have begun already."""
    command = [sys.executable, "-m", "tests.fuzz", "--seed", "1", "--count", COUNTS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count(" 0 failures (0 distinct)") == 7
