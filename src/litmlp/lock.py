"""A lock on a run's folder: one process trains there at a time, and a dead one's lock doesn't block the next.

The lock is the file ``.lock``, made with O_EXCL, which is atomic on NFS too. It is stale once the holder's process is
gone. Where that can't be known, on another machine or in another container, it is stale when it hasn't been touched
for ``DEAD_AFTER`` seconds by the clock of the file system, the only one that both share.

To take over a stale lock with token T, a process first takes the lock ``.lock-T`` in the same way, then makes sure
that ``.lock`` hasn't changed, and renames ``.lock-T`` to ``.lock``. Tokens never recur, so a latecomer finds another
token and gives way. A process that dies in between leaves a ``.lock-T`` that is stale in its turn.

Like every lease it has a gap: a holder that was suspended for ``DEAD_AFTER`` seconds may have lost the lock to another
machine, and doesn't know it until its next :meth:`RunLock.beat`.
"""

import ctypes
import json
import os
import socket
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile

from litmlp.errors import Failure

BEAT_EVERY, DEAD_AFTER = 5, 60  # seconds of the wall clock, as it includes the time for which a machine was suspended
# What another process can cause for a moment: a file is gone, or on Windows can't be replaced, as it is being read.
PASSING = (FileNotFoundError, PermissionError) if sys.platform == "win32" else (FileNotFoundError,)


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock: the lock file's content, as JSON. The default is a damaged file's holder.

    Attributes:
        host: the machine's name.
        machine: distinguishes machines and containers of the same name.
        pid: the process's number.
        started: distinguishes processes of the same number; empty where that isn't known.
        since: local time at which it took the lock.
        token: a number that no other lock has.
    """

    host: str = ""
    machine: str = ""
    pid: int = 0
    started: str = ""
    since: str = ""
    token: int = 0

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host} since {self.since}" if self.pid else "an unknown process"


class InUseError(Failure):
    """Another process holds the lock."""


class RunLock:
    """The right to write to a run's folder. Of a training in several processes, rank 0 alone acquires it.

    Args:
        folder: the run's folder; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ".lock"
        self._held: Holder | None = None
        self._beaten = 0.0

    def acquire(self) -> None:
        """Take the lock, if need be from a holder that is dead.

        Raises:
            InUseError: if another process holds it.
            Failure: if the folder can't be written to.
        """
        pid, since, token = os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"), int.from_bytes(os.urandom(8))
        this = Holder(socket.gethostname(), _machine(), pid, _start_of(pid) or "", since, token)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take(self.path, this)
        except OSError as error:
            raise Failure(f"can't write {self.path} ({error.strerror})") from None
        self._held, self._beaten = this, time.time()
        with suppress(OSError):
            for leftover in self.folder.glob(".lock-*"):
                leftover.unlink(missing_ok=True)

    def clear_if_dead(self) -> None:
        """Remove the lock of a holder that is dead, if there is one and the folder can be written to."""
        if self.path.exists():
            with suppress(Failure):
                self.acquire()
                self.release()

    @property
    def is_held(self) -> bool:
        """Whether this process holds it."""
        return self._held is not None

    def beat(self) -> None:
        """Touch a held lock every ``BEAT_EVERY`` seconds; to be called at every step and before saving.

        Raises:
            Failure: if the lock was taken over, or can't be touched: nothing more may be written then.
        """
        if self._held is None or 0 <= time.time() - self._beaten < BEAT_EVERY:
            return
        try:
            if (holder := _read(self.path)[0]) != self._held:
                raise Failure(f"{self.folder} was taken over, while this process was suspended, by {holder}")
            os.utime(self.path)
        except OSError as error:
            raise Failure(f"lost {self.path} ({error.strerror}): another process may be using {self.folder}") from None
        self._beaten = time.time()

    def release(self) -> None:
        """Give the lock back, if this process (not one that forked it) holds it."""
        held, self._held = self._held, None
        with suppress(OSError):  # the lock is stale anyway once this process has ended
            if held is not None and held.pid == os.getpid() and _read(self.path)[0] == held:
                self.path.unlink()

    def __enter__(self) -> "RunLock":
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self, path: Path, this: Holder) -> None:
        for attempt in count():
            try:
                _create(path, this)
                seen = _read(path)
                if seen[0] == this:
                    return
                self._refuse_unless_dead(*seen)
                claim = path.with_name(f"{path.name}-{seen[0].token:x}")
                self._take(claim, this)
                try:
                    if _read(path) == seen:
                        claim.replace(path)
                finally:
                    claim.unlink(missing_ok=True)
            except PASSING:
                if attempt == 20:
                    raise
                time.sleep(0.01)

    def _refuse_unless_dead(self, holder: Holder, touched: float) -> None:
        started = _start_of(holder.pid) if holder.machine == _machine() else ""
        alive, line = started == holder.started, f"{self.folder} is in use by {holder}"
        if started == "":
            with TemporaryFile(dir=self.folder) as probe:
                silence = abs(os.fstat(probe.fileno()).st_mtime - touched)
            alive = silence <= DEAD_AFTER
            line += f" (last sign of life {silence:.0f} s ago; it counts as dead after {DEAD_AFTER} s)"
        if alive:
            raise InUseError(line)


def _create(path: Path, this: Holder) -> None:
    with suppress(FileExistsError):
        file = path.open("x", encoding="utf-8")
        try:
            with file:
                json.dump(vars(this), file)
        except OSError:
            path.unlink()
            raise


def _read(path: Path) -> tuple[Holder, float]:
    """The holder, and when the file was last touched. What isn't whole after half a second counts as damaged."""
    for _ in range(50):
        with path.open("rb") as file:
            touched, content = os.fstat(file.fileno()).st_mtime, file.read(10_000)
        with suppress(ValueError, AttributeError, RecursionError):
            fields = json.loads(content)
            if {name: type(field) for name, field in fields.items()} == Holder.__annotations__:
                return Holder(**fields), touched
        time.sleep(0.01)
    return Holder(), touched


def _machine() -> str:
    """Identifies the host, its boot and the container (the PID namespace), or at least the network card."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _start_of(pid: int) -> str | None:
    """When a process was started, in clock ticks since the boot; empty if that can't be known, None if it has ended."""
    if sys.platform == "win32":  # where os.kill(pid, 0) would send Ctrl-C
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        process = kernel.OpenProcess(0x100000, False, pid)  # SYNCHRONIZE
        ended = kernel.WaitForSingleObject(process, 0) == 0 if process else ctypes.get_last_error() == 87
        kernel.CloseHandle(process)
        return None if ended else ""
    try:
        with suppress(PermissionError):  # it exists, and is someone else's
            os.kill(pid, 0)
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (OSError, OverflowError) as error:
        return None if isinstance(error, ProcessLookupError) else ""
    return None if state in b"ZX" else fields[18].decode()  # a zombie has ended, though its parent hasn't noticed
