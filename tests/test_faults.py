"""A short round of ``python -m tests.faults``, and several processes against one."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch.distributed import HashStore, ProcessGroupGloo, Work

from litmlp.errors import UsageError
from litmlp.training.torchrun import loss_in_words, patience
from tests.conftest import ROOT, Fit
from tests.faults.__main__ import main
from tests.faults.compare import curves, differences
from tests.faults.kills import ENVIRONMENT
from tests.faults.torchrun import run_killing_workers, under_torchrun

FIT = [sys.executable, str(ROOT / "scripts" / "fit.py")]


@pytest.mark.slow
def test_killed_runs_end_as_undisturbed_ones(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "2", "--seed", "7", "--only", "digits-early_stopping,log"]) == 0
    closing = capfd.readouterr().out.splitlines()[-1]
    kills = re.fullmatch(r"2 of 2 rounds, (\d+) of \1 kills: identical", closing)
    assert kills is not None
    assert int(kills[1]) > 0


@pytest.mark.slow
def test_killed_searches_lose_no_trial(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "1", "--seed", "1", "--only", "search", "--jobs", "1"]) == 0
    assert re.search(r"^(\d) of \1 rounds, (\d+) of \2 kills: identical$", capfd.readouterr().out, re.MULTILINE)


@pytest.mark.slow
def test_of_two_processes_that_are_given_one_run_one_trains_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "2", "--seed", "3", "--only", "digits-conv,xor", "--competing", "--jobs", "1"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 of 2 rounds, 2 of 2 competitions: identical"


@pytest.mark.slow
def test_two_processes_make_one_run_also_where_torchrun_restarts_them(run_fit: Fit, tmp_path: Path) -> None:
    flags = ["--task", "digits", "--accelerator", "cpu", "--max_epochs", "12", "--run"]
    command = [*FIT, *flags, "two", "--devices", "2", "--dropout", "0.2"]
    subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, check=True)
    two = tmp_path / "lightning_logs" / "digits" / "two"

    elastic = two.with_name("elastic")
    command = under_torchrun([*FIT, *flags, "elastic", "--dropout", "0.2"])
    told, end = run_killing_workers(command, tmp_path, elastic, Random(4), kills=1, lifetime=10)
    assert end.complaint == ""
    assert told
    assert [line for line in differences(elastic, two) if not line.startswith("config")] == []


def test_two_processes_learn_what_one_does_with_the_doubled_batch(run_fit: Fit, tmp_path: Path) -> None:
    flags = ["--max_epochs", "4", "--dropout", "0"]
    command = [*FIT, "--task", "digits", "--accelerator", "cpu", "--run", "two", "--devices", "2", *flags]
    process = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "epoch 4/4" in process.stdout
    one = run_fit(*flags, "--batch_size", "128", name="one").folder
    two = one.with_name("two")
    weights = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in (one, two)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=1e-6)
    shown = [curves(run) for run in (one, two)]
    for tag in ("train/loss", "val/loss", "test/loss", "test/accuracy", "train/accuracy"):
        steps, values = zip(*shown[1][tag], strict=True)
        assert list(steps) == [step for step, _ in shown[0][tag]]
        assert list(values) == pytest.approx([value for _, value in shown[0][tag]], abs=1e-6)


def test_ctrl_c_ends_all_processes_with_one_line(tmp_path: Path) -> None:
    command = [*FIT, "--task", "xor", "--accelerator", "cpu", "--run", "two", "--devices", "2", "--max_epochs", "-1"]
    out, err = subprocess.PIPE, subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=out, stderr=err, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert any(line.startswith("epoch 2") for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate()  # until the last of them has closed its end
    assert process.returncode == 130
    assert errors.endswith("\nfit.py: stopped by SIGINT; resume with --resume lightning_logs/xor/two\n")
    assert "Traceback" not in errors


@pytest.mark.parametrize("seconds", ["0", "-1", "1.5", "soon", ""])
def test_a_patience_that_is_no_number_of_seconds_is_told(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITMLP_PATIENCE", seconds)
    with pytest.raises(UsageError) as error:
        patience()
    assert str(error.value) == f"LITMLP_PATIENCE={seconds}: must be a whole number of seconds above 0"
    monkeypatch.setenv("LITMLP_PATIENCE", "60")
    assert patience().total_seconds() == 60


def two_ends(patience: timedelta) -> list[Any]:
    """Both processes of a group, in this one."""
    store = HashStore()
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: ProcessGroupGloo(store, rank, 2, patience), range(2)))


def loss_at(waiting: Work) -> str:
    """What is said of the error that an operation ends in."""
    with pytest.raises(RuntimeError) as error:
        waiting.wait()
    return loss_in_words(error.value)


def test_each_error_of_gloo_says_what_became_of_the_other_process() -> None:
    first, second = two_ends(timedelta(milliseconds=50))
    in_time, beside_it = (first.recv([torch.zeros(1)], 1, tag) for tag in range(2))
    assert loss_at(in_time) == "another process of this run doesn't answer"
    assert loss_at(beside_it) == "another process of this run doesn't answer"
    first, second = two_ends(timedelta(seconds=60))
    waiting = first.recv([torch.zeros(1)], 1, 0)
    del second
    assert loss_at(waiting) == "another process of this run has died"
    assert loss_in_words(RuntimeError("[enforce fail at a/gloo/transport/tcp/pair.cc:464] 20 vs 4")) == ""
