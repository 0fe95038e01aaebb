"""Searches as processes: their trials are runs, none is lost or counted twice, whoever is killed."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from litmlp.runs import Run
from litmlp.studies.storage import open_journal
from litmlp.studies.workers import number_of
from tests.conftest import Start, script, wait_for_line
from tests.faults.compare import compare, differences, load
from tests.postgresql import MISSING, is_possible, make_database, postgresql

XOR = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "6", "--batch_size", "64"]
RATES = ["--space", "{lr: [1e-3, 1.0, log], dropout: [0, 0.9]}"]  # some of them are stopped
FOLDER = "lightning_logs/xor/xor-search"
MADE = f"""\
best settings    {FOLDER}/xor-best.yaml
picture          {FOLDER}/xor-search.svg
picture          {FOLDER}/xor-search.png
"""


def run_folders(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "lightning_logs" / "xor").iterdir() if "-trial-" in path.name)


def states(storage: Any, name: str = "xor/xor") -> list[tuple[int, str, Any, Any]]:
    """What a storage knows of a search: each trial's number, state, settings and value."""
    study = optuna.load_study(study_name=name, storage=storage)
    return [(trial.number, trial.state.name, trial.params, trial.values) for trial in study.trials]


def journal(folder: Path) -> Any:
    return open_journal(folder / FOLDER / "journal.log")


def test_a_search_ends_with_settings_a_table_and_a_picture(tmp_path: Path) -> None:
    flags = [*XOR, *RATES, "--trials", "3", "--seeds", "[1,2]", "--jobs", "2"]
    ended = script("search", *flags, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert sorted(re.sub(r"[\d.e-]+ s$|(?<==)\S+|\d+\.\d\d", "…", line) for line in lines[:3]) == [
        f"trial {number}: lr=… dropout=… validation accuracy (%) …, …" for number in range(3)
    ]
    assert lines[4].startswith("| trial | validation accuracy (%) |")
    assert "The best trials with the seeds 1, 2:" in lines
    numbers = [int(number) for number in re.findall(r"^\| (\d) ", ended.stdout, re.MULTILINE)]
    assert [line for line in lines if " of 6: " in line] == [
        f"{2 * place + seed} of 6: trial {number}, seed {seed}"
        for place, number in enumerate(numbers)
        for seed in (1, 2)
    ]
    assert len([line for line in lines if re.match(r"\| trial \d +\|.* ± ", line)]) == 3
    assert ended.stdout.endswith(f"\n\n{MADE}")
    assert all((tmp_path / line[17:]).stat().st_size for line in MADE.splitlines())

    first = Run(tmp_path / "lightning_logs" / "xor" / "xor-trial-0")
    repeated = script("fit", "--config", first.config, "--run", "again", cwd=tmp_path)
    assert repeated.returncode == 0
    assert differences(first.folder.with_name("again"), first.folder) == []

    before = {path: path.stat().st_mtime_ns for path in run_folders(tmp_path)}
    again = script("search", *flags, cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.splitlines()[: len(lines[3:8])] == lines[3:8]
    assert again.stdout.count("is complete") == 6
    assert {path: path.stat().st_mtime_ns for path in run_folders(tmp_path)} == before


@pytest.mark.slow
def test_a_killed_search_is_the_one_that_nobody_killed(tmp_path: Path, start: Start) -> None:
    """One trial at a time: of several side by side, which ends first decides what is drawn next."""
    flags = [*XOR, *RATES, "--trials", "16", "--jobs", "1"]
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert script("search", *flags, cwd=undisturbed).returncode == 0
    begun = 0
    for signum in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = start("search", *flags)
        begun += 4
        wait_for_line(process, f"trial {begun}: ")
        process.send_signal(signum)
        errors = process.communicate()[1]
        said = f"\nsearch.py: stopped by {signum.name}; resume with the same command\n"
        assert errors == ("" if signum == signal.SIGKILL else said)
        assert process.returncode == (-signum if signum == signal.SIGKILL else 128 + signum)
    ended = script("search", *flags, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = states(journal(tmp_path))
    assert found == states(journal(undisturbed))
    assert [number for number, *_ in found] == [*range(16)]
    assert {state for _, state, *_ in found} == {"COMPLETE", "PRUNED"}
    for run in run_folders(undisturbed):
        same = tmp_path / run.relative_to(undisturbed)
        if Run(run).results.exists():
            assert differences(same, run) == []
        else:
            assert [*compare(run.name, *(load(Run(folder).last) for folder in (same, run)))] == []


def test_two_searches_at_once_in_one_folder_are_refused(tmp_path: Path, start: Start) -> None:
    process = start("search", *XOR, *RATES, "--trials", "200", "--jobs", "1")
    wait_for_line(process, "trial 0: ")
    second = script("search", *XOR, *RATES, "--trials", "200", cwd=tmp_path)
    assert second.returncode == 1
    assert second.stderr.startswith(f"search.py: {FOLDER} is in use by process {process.pid} on host ")
    assert second.stdout == ""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database on a real PostgreSQL."""
    if not is_possible():
        pytest.skip(MISSING)
    with postgresql() as server:
        yield make_database(server, "search")


@pytest.mark.slow
def test_workers_share_a_database_and_one_takes_over_from_a_dead_one(
    database: str, tmp_path: Path, start: Start
) -> None:
    flags = [*XOR, *RATES, "--trials", "12", "--jobs", "1", "--storage", database, "--heartbeat", "1"]
    workers = [start("search", *flags) for _ in range(3)]
    for worker in workers:
        wait_for_line(worker, "trial ")
    for worker, signum in zip(workers, (signal.SIGKILL, signal.SIGTERM), strict=False):
        worker.send_signal(signum)
        worker.wait()
    printed, errors = workers[2].communicate()
    assert (workers[2].returncode, errors) == (0, "")
    assert "| trial | validation accuracy (%) |" in printed
    storage = RDBStorage(database)
    found = optuna.load_study(study_name="xor/xor", storage=storage).trials
    storage.engine.dispose()
    done = [number_of(trial) for trial in found if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(done) == len(set(done)) == 12
    assert {trial.state for trial in found} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    for run in run_folders(tmp_path):
        alone = script("fit", "--config", Run(run).config, "--run", f"alone-{run.name}", cwd=tmp_path)
        assert alone.returncode == 0
        if Run(run).results.exists():
            assert differences(run, run.with_name(f"alone-{run.name}")) == []
