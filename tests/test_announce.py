"""What a run says of itself, and the threads that it computes with."""

import json
import math
from pathlib import Path

import pytest
import torch
import yaml

from litmlp import UsageError
from litmlp.cgroups import cpu_quota
from litmlp.settings.threads import default_threads
from litmlp.training.announce import arithmetic
from tests.conftest import Fit, points_everywhere
from tests.crash import CrashError

EARLY_STOPPING = ["--callbacks+=EarlyStopping", "--callbacks.monitor=val/loss", "--callbacks.patience=1"]


def test_where_a_run_resumes(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CrashError):
        run_fit(
            "--max_epochs", "3", "--callbacks+=tests.crash.Crash", "--callbacks.step=33", points=points_everywhere()
        )
    capsys.readouterr()
    run_fit("--max_epochs", "3", "--callbacks=null")
    out, err = capsys.readouterr()
    assert out.splitlines()[4] == "resuming at epoch 2, step 33"
    assert err == ""


def test_another_machine_s_arithmetic_is_named(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_fit("--max_epochs", "1", "--schedule", "constant")
    content = torch.load(run.last, weights_only=True)
    content["callbacks"]["ResumePoints"]["arithmetic"] = "torch 2.0.0 on riscv DEFAULT"
    torch.save(content, run.last)
    capsys.readouterr()
    run_fit("--max_epochs", "2")
    now = arithmetic(torch.device("cpu"))
    line = f"note: begun with torch 2.0.0 on riscv DEFAULT, resumed with {now}: the last bits may differ\n"
    assert capsys.readouterr().err == line


def test_why_it_was_stopped_early(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_fit("--max_epochs", "40", "--lr", "0.05", "--schedule", "constant", *EARLY_STOPPING)
    results = run.read_results()
    assert results is not None
    line = f"stopped early at epoch {results['epochs']}: val/loss hasn't improved in 1 validations"
    assert line in capsys.readouterr().out.splitlines()


def test_a_run_keeps_its_threads(run_fit: Fit) -> None:
    run = run_fit("--max_epochs", "1", "--schedule", "constant", "--threads", "2")
    assert yaml.safe_load(run.config.read_text())["threads"] == 2
    torch.set_num_threads(1)
    run_fit("--max_epochs", "2")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    with pytest.raises(UsageError, match=f"^--threads 3 contradicts the run {run.folder}, made with --threads 2: "):
        run_fit("--max_epochs", "2", "--threads", "3")
    with pytest.raises(UsageError, match="^--threads 0: must be from 1 to 1024$"):
        run_fit("--threads", "0", name="another")


def test_the_default_is_what_the_machine_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert default_threads(processes=4) == 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    torch.set_num_threads(2)
    assert [default_threads(processes) for processes in (1, 2, 5)] == [2, 1, 1]
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/a/b", {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),
        ("0::/", {"cpu.max": "50000 100000"}, 0.5),
        ("0::/a", {}, math.inf),
        ("4:c,a:/job", {"c,a/job/cpu.cfs_quota_us": "300000\n", "c,a/job/cpu.cfs_period_us": "100000\n"}, 3.0),
        ("4:cpu:/job", {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, math.inf),
    ],
)  # fmt: skip
def test_a_container_s_quota_of_both_versions(own: str, files: dict[str, str], quota: float, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "own").write_text(f"{own}\n")
    assert cpu_quota(tmp_path, tmp_path / "own") == quota
    assert cpu_quota(tmp_path, tmp_path / "nowhere") == math.inf


def test_a_run_that_was_extended_says_so_in_its_settings(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_fit("--max_epochs", "1", "--schedule", "cosine", "--hidden", "[8]")
    capsys.readouterr()
    run_fit("--max_epochs", "2")
    note = "until step 20 the schedule was that of --max_epochs 1"
    assert capsys.readouterr().err == f"note: {note}, so the settings alone won't repeat this run's weights\n"
    comment = f"# U{note[1:]}: these settings alone don't repeat the weights.\n"
    assert run.config.read_text().startswith(comment)
    run_fit("--max_epochs", "3")
    again = comment.replace("step 20", "step 40").replace("max_epochs 1", "max_epochs 2")
    assert run.config.read_text().startswith(comment + again)
    assert yaml.safe_load(run.config.read_text())["max_epochs"] == 3
    digest = json.loads(run.results.read_text())["weights_sha256"]
    repeated = run_fit("--config", str(run.config), name="repeated")
    assert json.loads(repeated.results.read_text())["weights_sha256"] != digest
