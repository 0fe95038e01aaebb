"""Fits side by side: the bits of fit.py, and no process, run or line lost, whoever is killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from litmlp.commands import compare
from litmlp.errors import Failure
from litmlp.settings.threads import cores
from litmlp.studies.job import Job
from litmlp.studies.jobs import Jobs
from litmlp.studies.plain import PlainStarter
from tests.conftest import ROOT, script
from tests.faults.compare import differences
from tests.faults.kills import ENVIRONMENT, is_alive
from tests.faults.torchrun import children
from tests.warm import Session

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="fits are forked on Linux only")
XOR = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "2"]
LONG = ["--task", "log", "--accelerator", "cpu", "--batch_size", "500", "--max_epochs=60", "--dropout", "0.1"]
RATES = ["--vary", "lr", "[0.1, 0.01]"]
RUNS = ["log-lr-0.1-seed0", "log-lr-0.01-seed0"]
FORKING = [sys.executable, str(ROOT / "scripts" / "compare.py")]
CODE = "import sys; from litmlp.signals import INTERRUPTION; INTERRUPTION.install()"
FROM_SCRATCH = [sys.executable, "-c", f"{CODE}; from litmlp.commands import compare; compare.main(sys.argv[1:])"]

Started = subprocess.Popen[str] | Session
Compare = Callable[..., Started]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def start_compare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compare]:
    """Starts compare.py, in a session of its own: a process that outlives it is still of that session."""
    started: list[Started] = []

    def start(*flags: str, program: list[str] = FORKING) -> Started:
        environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT / "src")}
        if program == FORKING:
            started.append(Session([*FORKING[1:], *flags], environment, tmp_path_factory.mktemp("output")))
        else:
            options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            started.append(subprocess.Popen([*program, *flags], env=environment, start_new_session=True, **options))
        return started[-1]

    yield start
    for process in started:
        for pid in [process.pid, *session(process.pid)]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def session(leader: int) -> list[int]:
    """The live processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and os.getsid(int(entry.name)) == leader and is_alive(int(entry.name)):
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


def wait_for_fits(process: Started, runs: list[str]) -> list[int]:
    """Wait until these runs have resume points: the process ids of the process that forks fits, and of the fits."""
    points = [Path("lightning_logs/log") / run / "checkpoints" / "last.ckpt" for run in runs]
    while not all(point.exists() for point in points):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    forker = children(process.pid)[0]
    return [forker, *children(forker)]


@pytest.mark.slow
def test_importing_a_fit_starts_no_threads_and_no_cuda() -> None:
    code = "import os, torch; from litmlp.commands import compare, fit; from litmlp.settings.command_line import "
    code += "read_command; read_command([]); print(os.listdir('/proc/self/task'), torch.cuda.is_initialized())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"}
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; print(os.getpid())"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    threads, pid = ended.stdout.splitlines()
    assert threads == f"['{pid}'] False"


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize("threads", [1, 2])
def test_a_fit_beside_another_has_the_bits_of_fit_py(threads: int, start_compare: Compare, tmp_path: Path) -> None:
    flags = [*XOR, "--dropout", "0.2", "--batch_size", "64", "--hidden", "[512,512]", f"--threads={threads}"]
    flags += ["--enable_progress_bar=false"]
    process = start_compare(*flags, *RATES, "--jobs", "2")
    printed, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    (tmp_path / "alone").mkdir()
    for rate in ("0.1", "0.01"):
        name = f"xor-lr-{rate}-seed0"
        alone = script("fit", *flags, "--lr", rate, "--run", name, cwd=tmp_path / "alone")
        runs = [folder / "lightning_logs" / "xor" / name for folder in (tmp_path, tmp_path / "alone")]
        assert f"\nthreads: {threads}\n" in runs[0].joinpath("config.yaml").read_text()
        assert differences(*runs) == []
        assert re.sub(r"\d+\.\d s\b", "", alone.stdout) in re.sub(r"\d+\.\d s\b", "", printed)
    lines = [line for line in printed.splitlines() if re.match(r"\d of|epoch|last|\| lr", line)]
    assert [line.split()[0] for line in lines] == ["1", "epoch", "epoch", "last", "2", "epoch", "epoch", "last", "|"]


@pytest.mark.skipif(cores() != 2, reason="counts two cores")
@ON_LINUX
def test_by_default_each_core_has_a_fit_of_one_thread(start_compare: Compare) -> None:
    process = start_compare(*LONG, *RATES, program=["env", "-u", "OMP_NUM_THREADS", *FORKING])
    assert len(wait_for_fits(process, RUNS)) == 3
    process.terminate()
    process.communicate()
    for run in RUNS:
        assert "\nthreads: 1\n" in Path("lightning_logs/log", run, "config.yaml").read_text()


def test_where_processes_cannot_be_forked_fits_are_started_from_scratch(capfd: pytest.CaptureFixture[str]) -> None:
    compare.main([*XOR, "--max_epochs", "1", *RATES, "--jobs", "2"])
    printed = capfd.readouterr()
    assert printed.err == ""
    lines = [line for line in printed.out.splitlines() if re.match(r"\d of|epoch|last|\| lr", line)]
    assert [line.split()[0] for line in lines] == ["1", "epoch", "last", "2", "epoch", "last", "|"]
    compare.main([*XOR, "--max_epochs", "1", *RATES, "--jobs", "2"])
    lines = capfd.readouterr().out.splitlines()
    assert lines[:2] == ["1 of 2: lr=0.1, seed 0, is complete", "2 of 2: lr=0.01, seed 0, is complete"]


def finish(job: Job, jobs: Jobs) -> str:
    while job.code is None:
        jobs.wait()
    return job.end()


def test_a_failing_fit_ends_with_its_line_and_exit_code(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "fails.py").write_text("import sys\nprint('out')\nsys.exit('fit: ' + sys.argv[1])\n")
    with Jobs(PlainStarter([sys.executable, "fails.py"])) as jobs, pytest.raises(SystemExit) as end:
        finish(jobs.start(["--run=a"], 1, is_live=True), jobs)
    assert end.value.code == 1
    assert capfd.readouterr() == ("out\n", "fit: --run=a\n")
    (here / "fails.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with (
        Jobs(PlainStarter([sys.executable, "fails.py"])) as jobs,
        pytest.raises(Failure, match="^the fit was killed by SIGKILL: "),
    ):
        finish(jobs.start([], 1), jobs)


@ON_LINUX
def test_a_failing_fit_stops_those_beside_it(start_compare: Compare) -> None:
    process = start_compare(*LONG, *RATES, "--jobs", "2")
    os.kill(wait_for_fits(process, RUNS)[-1], signal.SIGKILL)
    printed, errors = process.communicate()
    assert (process.returncode, printed) == (1, "1 of 2: lr=0.1, seed 0\n")
    assert errors == "compare.py: the fit was killed by SIGKILL: resume with the same command\n"
    assert session(process.pid) == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of a comparison that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert script("compare", *LONG, *RATES, "--jobs", "2", cwd=folder).returncode == 0
    return folder


@pytest.mark.slow
@ON_LINUX
@pytest.mark.parametrize(
    ("signum", "program"),
    [
        (signal.SIGTERM, FORKING),
        (signal.SIGINT, FORKING),
        (signal.SIGKILL, FORKING),
        (signal.SIGINT, FROM_SCRATCH),
        (signal.SIGKILL, FROM_SCRATCH),
    ],
)
def test_a_killed_comparison_leaves_no_process_and_resumes_exactly(
    signum: signal.Signals, program: list[str], start_compare: Compare, tmp_path: Path, undisturbed: Path
) -> None:
    flags = [*LONG, *RATES, "--jobs", "2"]
    process = start_compare(*flags, program=program)
    wait_for_fits(process, RUNS)
    process.send_signal(signum)
    printed, errors = process.communicate()
    assert printed == "1 of 2: lr=0.1, seed 0\n"
    if signum == signal.SIGKILL:
        assert (process.returncode, errors) == (-signal.SIGKILL, "")
        while session(process.pid):  # they save first
            time.sleep(0.01)
    else:
        name = "compare.py" if program == FORKING else ""
        assert errors == f"\n{name}: stopped by {signum.name}; resume with the same command\n"
        assert process.returncode == 128 + signum
        assert session(process.pid) == []
    again = script("compare", *flags, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert "resuming at epoch " in again.stdout
    for run in RUNS:
        folders = [root / "lightning_logs" / "log" / run for root in (tmp_path, undisturbed)]
        assert differences(*folders) == []


@ON_LINUX
def test_a_comparison_ends_when_the_process_that_forks_is_killed(start_compare: Compare) -> None:
    process = start_compare(*LONG, *RATES, "--jobs", "2")
    os.kill(wait_for_fits(process, RUNS)[0], signal.SIGKILL)
    _, errors = process.communicate()
    assert errors == "compare.py: the process that starts fits was killed: resume with the same command\n"
    assert process.returncode == 1
    while session(process.pid):  # they save first
        time.sleep(0.01)


@ON_LINUX
def test_a_request_that_the_process_that_forks_did_not_read_is_no_traceback(here: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, Jobs(PlainStarter()) as jobs:
        jobs.starter.endings.close()
        jobs.starter.endings = ours
        ours.send(b"a request")
        theirs.close()  # with the request unread, as when it is killed: so the connection is reset
        with pytest.raises(Failure, match="^the process that starts fits was killed: "):
            jobs.wait()


@ON_LINUX
@pytest.mark.parametrize("answered_first", [True, False])
def test_a_fit_that_is_killed_between_its_report_and_the_answer_is_no_traceback(answered_first: bool) -> None:
    job = Job(reports=True)
    assert job.theirs is not None
    job.theirs.sendall(b'{"epoch": 1}\n')
    assert job.receive()
    assert job.report == {"epoch": 1}
    if answered_first:
        job.answer(may_continue=True)
    job.theirs.close()  # with the answer unread, as when it is killed: so the connection is reset
    if not answered_first:
        job.answer(may_continue=True)
    assert not job.receive()
    assert job.connection is None
    job.close()


@ON_LINUX
@pytest.mark.slow
def test_a_fit_of_several_processes_is_made_beside_others(start_compare: Compare) -> None:
    process = start_compare("--devices", "2", *XOR, "--max_epochs", "1", *RATES, "--jobs", "2")
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert printed.count("device           2 × cpu, precision 32-true\n") == 2
    while session(process.pid):  # the second process of a fit may end after the first
        time.sleep(0.01)
