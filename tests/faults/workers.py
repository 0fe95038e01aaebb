"""A command that makes fits, whose processes are killed: it says so in a line, and leaves none of them alone."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import uuid4

from tests.faults.kills import ENVIRONMENT, has_our_handlers, is_alive
from tests.faults.torchrun import children, read

PATIENCE = 240.0  # seconds after which a command counts as hanging
LEAVING = 20.0  # seconds in which the fits of a killed command have to end
MARK = "LITMLP_FAULTS"  # the variable by which a command's processes are known


class Victim(NamedTuple):
    """Which process is killed, when, and how.

    Attributes:
        kind: ``command``, ``starter`` (of fits) or ``fit``.
        signum: SIGKILL, SIGTERM or SIGINT.
        lines: of trials that are printed before.
        delay: seconds to wait from then on.
    """

    kind: str
    signum: signal.Signals
    lines: int
    delay: float

    @property
    def told(self) -> str:
        """The victim, for people."""
        return f"{self.signum.name} to the {self.kind} {self.delay:.3f} s after {self.lines} trials"


def draw_victim(random: Random, lifetime: float) -> Victim:
    """Draw a victim: a third of the moments are uniform over the life of a command, the others between its trials.

    Args:
        random: the seeded generator.
        lifetime: seconds that the undisturbed command lives.
    """
    kind = random.choice(["command", "command", "fit", "fit", "starter"])
    signum = random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    if random.random() < 1 / 3:
        return Victim(kind, signum, 0, random.uniform(0, lifetime))
    return Victim(kind, signum, random.randint(1, 4), random.uniform(0, 0.3))


class Worker:
    """A command under way, whose output goes to files.

    Args:
        command: the command line.
        cwd: the working folder.
        name: of the files.
    """

    def __init__(self, command: list[str], cwd: Path, name: str) -> None:
        self.command, self.cwd, self.name = command, cwd, name
        self.output, self.errors = cwd / f"{name}.out", cwd / f"{name}.err"
        self.mark = f"{MARK}={uuid4()}"
        with self.output.open("w") as stdout, self.errors.open("w") as stderr:
            self.process = subprocess.Popen(
                command, cwd=cwd, stdout=stdout, stderr=stderr, env=ENVIRONMENT | dict([self.mark.split("=")])
            )

    def again(self) -> "Worker":
        """The same command, started again."""
        return Worker(self.command, self.cwd, self.name)

    def strike(self, victim: Victim) -> bool:
        """Wait for the moment and send the signal; False if the command ended before."""
        pid = self.process.pid
        while self.output.read_text().count("trial ") < victim.lines and is_alive(pid):
            time.sleep(0.002)
        time.sleep(victim.delay)
        while is_alive(pid):
            for found in self.of_kind(victim.kind):
                if victim.kind == "fit" or victim.signum == signal.SIGKILL or has_our_handlers(pid):
                    return send(found, victim.signum)
            time.sleep(0.0005)
        return False

    def of_kind(self, kind: str) -> list[int]:
        """The process ids of that kind."""
        command = [self.process.pid]
        starters = [child for pid in command for child in children(pid)]
        fits = [child for pid in starters for child in children(pid)]
        return {"command": command, "starter": starters, "fit": fits}[kind]

    def complaint_at_end(self, victim: Victim | None) -> str:
        """Wait for the end: what was wrong with it; empty if nothing was."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in self.left():
                send(pid, signal.SIGKILL)
            self.process.wait()
            return f"hangs: {self.errors.read_text()[-3000:]}"
        errors = self.errors.read_text()
        is_expected = (code, errors) == (0, "") if victim is None else is_end_of(victim, code, errors, self.has_ended())
        complaint = "" if is_expected else f"exit code {code}, stderr {errors!r}"
        return complaint + self.orphans()

    def has_ended(self) -> bool:
        """Whether the search was through: the command shows what was found, or leaves that to another worker."""
        printed = self.output.read_text()
        return "| trial |" in printed or printed.endswith(", which writes what was found\n")

    def orphans(self) -> str:
        """Wait until all processes of the command have ended: what is wrong if they don't."""
        deadline = time.monotonic() + LEAVING
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return f" orphans: {left}" if left else ""

    def left(self) -> list[int]:
        """The processes of the command that live."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
        return [pid for pid in pids if self.mark in read(pid, "environ").split("\0") and is_alive(pid)]


def send(pid: int, signum: signal.Signals) -> bool:
    """Send a signal: whether the process was alive."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def is_end_of(victim: Victim, code: int, errors: str, has_ended: bool) -> bool:
    """Whether a command that lost the victim ended as it should: with its exit code, and one line on stderr."""
    name = victim.signum.name
    if victim.kind == "command" and victim.signum == signal.SIGKILL:
        return (code, errors) == (-signal.SIGKILL, "")
    stopped = (128 + victim.signum, rf"\nsearch\.py: stopped by {name}(; resume with the same command)?\n")
    killed = (1, rf"search\.py: the fit was killed by {name}: resume with the same command\n")
    left_alone = (1, r"search\.py: the process that starts fits was killed: resume with the same command\n")
    ends = {"command": [stopped], "fit": [killed], "starter": [left_alone]}[victim.kind]
    ends += [(0, ""), (-victim.signum, "")] if has_ended or victim.kind == "fit" else []
    return any(code == of and re.fullmatch(pattern, errors) for of, pattern in ends)
