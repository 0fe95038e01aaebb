"""Start the command, wait for a drawn moment in its life, send a signal, and say how it ended."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

PATIENCE = 300.0  # seconds after which a process counts as hanging
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONFAULTHANDLER": "1"}


class End(NamedTuple):
    """How one process ended.

    Attributes:
        killed: whether the signal reached a live process.
        complaint: what was wrong with its exit code or its output; empty if nothing was.
        told: the moment, for people.
        seconds: how long it lived.
    """

    killed: bool
    complaint: str
    told: str
    seconds: float


class Moment(NamedTuple):
    """When to send which signal.

    Attributes:
        signum: SIGKILL, SIGTERM or SIGINT.
        told: the moment, for people.
        has_come: whether it has come, asked over and over.
        delay: seconds to wait from then on.
    """

    signum: signal.Signals
    told: str
    has_come: Callable[[], bool]
    delay: float


def draw_moment(random: Random, folder: Path, output: Path, lifetime: float) -> Moment:
    """Draw a moment: half of them uniform over the life of a process, the others where it is most delicate.

    Args:
        random: the seeded generator.
        folder: of the run.
        output: file that the process's stdout goes to.
        lifetime: seconds that the undisturbed process lives.
    """
    signum = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    kind = random.choice(["any time"] * 4 + ["epoch", "epoch", "checkpoint", "write", "write", "end"])
    if kind == "any time":
        delay = random.uniform(0, lifetime)
        return Moment(signum, f"{delay:.3f} s after the start", lambda: True, delay)
    if kind == "epoch":
        count, delay = random.randint(1, 4), random.uniform(0, 0.06)
        told = f"{1e3 * delay:.0f} ms after epoch line {count}"
        lines = output.read_text().count("epoch ") + count
        return Moment(signum, told, lambda: output.read_text().count("epoch ") >= lines, delay)
    if kind == "checkpoint":
        count, delay = random.randint(1, 2), random.uniform(0, 0.03)
        told = f"{1e3 * delay:.0f} ms after resume point {count}"
        return Moment(signum, told, Replacements(folder / "checkpoints" / "last.ckpt", count), delay)
    if kind == "write":
        name = random.choice(["checkpoints/.last.ckpt"] * 3 + ["checkpoints/.best.ckpt", ".results.json"])
        delay = random.choice([0.0, random.uniform(0, 0.01)])
        told = f"{1e3 * delay:.0f} ms into a write of {name.removeprefix('checkpoints/').removeprefix('.')}"
        return Moment(signum, told, (folder / f"{name}.writing").exists, delay)
    delay = random.uniform(0, 0.6)
    return Moment(signum, f"{1e3 * delay:.0f} ms into the end", lambda: has_trained(folder, output), delay)


class Replacements:
    """Whether a file has been replaced ``count`` times since the first call."""

    def __init__(self, path: Path, count: int) -> None:
        self.path = path
        self.count = count
        self.inode: int | None = None
        self.calls = 0

    def __call__(self) -> bool:
        inode = self.path.stat().st_ino if self.path.exists() else 0
        if self.inode is None:
            self.inode = inode
        elif inode not in (0, self.inode):
            self.inode = inode
            self.count -= 1
        return self.count <= 0


def has_trained(folder: Path, output: Path) -> bool:
    """Whether the last epoch's line is there; or, of a run that was stopped early or resumed behind it, best.ckpt."""
    lines = re.findall(r"^epoch (\d+)/(\d+)", output.read_text(), re.MULTILINE)
    return bool(lines and lines[-1][0] == lines[-1][1]) or (folder / "checkpoints" / ".best.ckpt.writing").exists()


def run_until(command: list[str], cwd: Path, moment: Callable[[Path], Moment] | None) -> End:
    """Start the command, send the signal at the moment, and wait for its end.

    Args:
        command: the command line.
        cwd: the working folder, to which also stdout and stderr go.
        moment: gives the moment for the file that stdout goes to; None leaves the process alone.
    """
    output, errors = cwd / "stdout", cwd / "stderr"
    output.write_text("")
    due = moment(output) if moment else None
    start = time.monotonic()
    with output.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(command, cwd=cwd, stdout=stdout, stderr=stderr, env=ENVIRONMENT)
    killed = due is not None and strike(due, process.pid)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # Python then tells where it was
        process.wait()
        return End(
            killed, f"hangs: {errors.read_text()[-3000:]}", due.told if due else "undisturbed", time.monotonic() - start
        )
    seconds = time.monotonic() - start
    if due is None or not killed:
        return End(False, check_end(process.returncode, said(errors)), "undisturbed", seconds)
    told = f"{due.signum.name} {due.told}"
    was_complete = "\ncurves " in output.read_text()
    return End(True, check_kill(due.signum, process.returncode, said(errors), was_complete), told, seconds)


def said(errors: Path) -> str:
    """What a process has said on stderr, but for the note that data are being converted."""
    return re.sub(r"^note: rows.csv: larger than --memory, .* once\n", "", errors.read_text(), flags=re.MULTILINE)


def strike(moment: Moment, pid: int, awaits_handlers: bool = True) -> bool:
    """Wait for the moment and send the signal; False if the process ended before.

    Before Python runs the command's first line it has handlers of its own, with other exit codes: unless told
    otherwise, SIGTERM and SIGINT wait for ours.
    """
    while not moment.has_come() and is_alive(pid):
        time.sleep(0.0005)
    time.sleep(moment.delay)
    while awaits_handlers and moment.signum != signal.SIGKILL and is_alive(pid) and not has_our_handlers(pid):
        time.sleep(0.0005)
    if not is_alive(pid):
        return False
    os.kill(pid, moment.signum)
    return True


def is_alive(pid: int) -> bool:
    """Whether the process runs still. One that has ended waits as a zombie for its parent to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_our_handlers(pid: int) -> bool:
    """Whether the process handles SIGTERM: our command takes it over last."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    caught = re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def check_end(code: int, errors: str) -> str:
    """What is wrong with the end of a process that was left alone."""
    return "" if code == 0 and not errors else f"exit code {code}, stderr {errors!r}"


def check_kill(signum: signal.Signals, code: int, errors: str, was_complete: bool) -> str:
    """What is wrong with the end of a process that was killed: its exit code, and what it said on stderr."""
    stopped = rf"\nfit\.py: stopped by {signum.name}(; resume with --resume \S+)?\n"
    if signum == signal.SIGKILL:
        fine = code == -signal.SIGKILL and not errors
    else:
        fine = code == 128 + signum and re.fullmatch(stopped, errors) is not None
    if not fine and was_complete:  # it was ending anyway, and Python had taken the handlers back
        fine = code in (0, -signum) and not errors
    return "" if fine else f"exit code {code}, stderr {errors!r}"
