"""Rounds under torchrun: two workers, of which either is killed, and torchrun starts both again."""

import signal
import subprocess
import time
from pathlib import Path
from random import Random

from tests.faults.kills import ENVIRONMENT, End, draw_moment, is_alive, strike

MAX_RESTARTS = 8
PATIENCE = 240.0  # seconds after which torchrun counts as hanging


def under_torchrun(command: list[str]) -> list[str]:
    """The same command on two processes. Without ``--`` torchrun takes ``--run`` for one of its own flags."""
    flags = ["--standalone", "--nproc-per-node", "2", "--max-restarts", str(MAX_RESTARTS)]
    return [command[0], "-m", "torch.distributed.run", *flags, "--", *command[1:], "--accelerator", "cpu"]


def run_killing_workers(
    command: list[str], cwd: Path, folder: Path, random: Random, kills: int, lifetime: float
) -> tuple[list[str], End]:
    """Start torchrun, kill a worker at each of ``kills`` drawn moments, and wait for torchrun's end.

    Returns:
        The kills that reached a live worker, for people, and how torchrun ended.
    """
    output, errors = cwd / "stdout", cwd / "stderr"
    told: list[str] = []
    start = time.monotonic()
    with output.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(command, cwd=cwd, stdout=stdout, stderr=stderr, env=ENVIRONMENT)
    while len(told) < kills:
        rank, signum = random.randrange(2), random.choice([signal.SIGKILL, signal.SIGTERM])
        moment = draw_moment(random, folder, output, lifetime)._replace(signum=signum)
        worker = wait_for_worker(process.pid, rank, restarts=len(told))
        if worker is None or not strike(moment, worker, awaits_handlers=False):
            break
        told.append(f"{signum.name} to rank {rank} {moment.told}")
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.terminate()  # and its workers with it
        process.wait()
        return told, End(bool(told), "hangs", "", time.monotonic() - start)
    complaint = "" if process.returncode == 0 else f"exit code {process.returncode}: {errors.read_text()[-2000:]}"
    return told, End(bool(told), complaint, "", time.monotonic() - start)


def wait_for_worker(torchrun: int, rank: int, restarts: int) -> int | None:
    """The process id of the worker of that rank after so many restarts; None if torchrun ended before."""
    wanted = {f"RANK={rank}", f"TORCHELASTIC_RESTART_COUNT={restarts}"}
    while is_alive(torchrun):
        for worker in children(torchrun):
            if wanted <= set(read(worker, "environ").split("\0")):
                return worker
        time.sleep(0.005)
    return None


def children(pid: int) -> list[int]:
    """The process ids of a process's children."""
    return [int(child) for child in read(pid, f"task/{pid}/children").split()]


def read(pid: int, name: str) -> str:
    """A file that the kernel keeps about a process; empty if the process is gone, or not ours to look at."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return ""
