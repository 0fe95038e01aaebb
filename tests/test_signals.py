"""SIGTERM and Ctrl-C: one line that says how to go on, their exit codes, and a resume point where that is exact."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT, Fit, Start, wait_for_line
from tests.faults.compare import differences
from tests.faults.kills import has_our_handlers

FLAGS = ["--task", "digits", "--run", "run", "--accelerator", "cpu", "--dropout", "0.3"]
SLURM = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "litmlp", "SLURM_LOCALID": "0"}
SLURM |= {"SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_NODELIST": "localhost"}


def differences_but_of_curves(run: Path, reference: Path) -> list[str]:
    """In what runs with other --default_root_dir differ.

    TensorBoard can't tell the order of two processes' files of the same second, and this process goes on at once.
    """
    return [line for line in differences(run, reference) if not line.startswith(("config", "curves"))]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_while_starting_up_it_ends_at_once(signum: signal.Signals, start: Start, tmp_path: Path) -> None:
    process = start("fit", *FLAGS)
    while not has_our_handlers(process.pid):
        time.sleep(0.001)
    process.send_signal(signum)
    assert process.communicate() == ("", f"\nfit.py: stopped by {signum.name}\n")
    assert process.returncode == 128 + signum
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_training_saves_what_the_same_command_goes_on_from(
    start: Start, run_fit: Fit, tmp_path: Path
) -> None:
    epochs = ["--max_epochs", "60", "--hidden", "[16]"]
    process = start("fit", *FLAGS, *epochs)
    wait_for_line(process, "epoch 5/")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors == "\nfit.py: stopped by SIGINT; resume with --resume lightning_logs/digits/run\n"
    assert process.returncode == 130
    stopped_at = torch.load(tmp_path / "lightning_logs/digits/run/checkpoints/last.ckpt", weights_only=True)
    assert stopped_at["global_step"] >= 5 * 20
    assert stopped_at["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"] < 60
    run, reference = (run_fit("--dropout", "0.3", *epochs, name=name) for name in ("run", "reference"))
    assert differences_but_of_curves(run.folder, reference.folder) == []


@pytest.mark.slow
def test_on_slurm_the_requeued_job_goes_on_and_loads_no_stray_checkpoint(
    start: Start, run_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning would load the newest hpc_ckpt_N.ckpt of the working folder."""
    (tmp_path / "hpc_ckpt_1.ckpt").write_bytes(b"not for us")
    epochs = ["--max_epochs", "60"]
    process = start("fit", *FLAGS, *epochs, **SLURM)
    wait_for_line(process, "epoch 3/")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate()
    assert errors == "\nfit.py: stopped by SIGTERM; resume with --resume lightning_logs/digits/run\n"
    assert process.returncode == 143
    reference = run_fit("--dropout", "0.3", *epochs, name="reference")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    run = run_fit("--dropout", "0.3", *epochs)
    assert differences_but_of_curves(run.folder, reference.folder) == []


def test_the_second_signal_ends_it_at_once() -> None:
    """The first is noted for the training to save a resume point; the training here never gets to that."""
    code = """
import os, signal, time
from litmlp.signals import INTERRUPTION
INTERRUPTION.command = "here"
INTERRUPTION.install()
INTERRUPTION.deferred = True
INTERRUPTION.advice = "wait"
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(0)
print(INTERRUPTION.signum, flush=True)
os.kill(os.getpid(), signal.SIGINT)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (ended.stdout, ended.stderr) == ("15\n", "\nhere: stopped by SIGINT; wait\n")
    assert ended.returncode == 130
