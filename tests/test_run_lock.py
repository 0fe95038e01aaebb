"""Two processes can't train one run at a time, and nothing that a killed one leaves is in the way of the next."""

import os
import re
import signal
from pathlib import Path

import pytest

from litmlp import Failure
from litmlp.lock import RunLock
from litmlp.runs import Run
from tests.conftest import Fit, Start, wait_for_line

FLAGS = ["--task", "digits", "--run", "run", "--accelerator", "cpu", "--max_epochs", "2000"]


@pytest.mark.slow
def test_the_second_of_two_ends_in_one_line_and_a_killed_one_blocks_nobody(
    start: Start, tmp_path: Path, run_fit: Fit
) -> None:
    first = start("fit", *FLAGS)
    wait_for_line(first, "epoch 1/")
    run = Run(tmp_path / "lightning_logs" / "digits" / "run")
    config = run.config.read_bytes()
    for flags in (FLAGS, ["--resume", "last"], [*FLAGS[:-1], "3000"]):
        second = start("fit", *flags)
        output, errors = second.communicate()
        assert (second.returncode, output) == (1, "")
        line = (
            r"fit\.py: lightning_logs/digits/run is in use by process \d+ on host \S+ since [\d-]+ [\d:]+:"
            r" wait for it, stop it, or choose another --run\n"
        )
        assert re.fullmatch(line, errors), errors
        assert str(first.pid) in errors
    assert run.config.read_bytes() == config
    assert first.poll() is None
    first.kill()
    first.wait()
    assert (run.folder / ".lock").exists()
    stopped = start("fit", *FLAGS)
    wait_for_line(stopped, "resuming at epoch ")
    wait_for_line(stopped, "epoch ")
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate()
    assert stopped.returncode == 143
    assert not (run.folder / ".lock").exists()


def test_a_run_that_another_process_holds_is_left_alone(run_fit: Fit, tmp_path: Path) -> None:
    run = run_fit("--max_epochs", "1", "--schedule", "constant")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with RunLock(run.folder):
        with pytest.raises(Failure, match="is in use by process"):
            run_fit("--max_epochs", "2")
        after = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
        assert after.pop(run.folder / ".lock")
        assert after == before
    run_fit("--max_epochs", "2")
    assert not (run.folder / ".lock").exists()


def test_the_lock_that_a_process_left_after_its_last_word_is_cleared(run_fit: Fit) -> None:
    run = run_fit("--max_epochs", "1")
    lock = run.folder / ".lock"
    lock.write_text("{}")
    os.utime(lock, (0, 0))
    run_fit("--max_epochs", "1")
    assert not lock.exists()
    with RunLock(run.folder):
        run_fit("--max_epochs", "1")
        assert lock.exists()
