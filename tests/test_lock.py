"""The lock on a run's folder: one holder at any time, whoever is killed wherever, and one line for everyone else."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from litmlp.errors import Failure
from litmlp.lock import RunLock
from tests.conftest import ROOT
from tests.test_resume import file_size_limit

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a process was started")
NOBODY = 65534
SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
SIGN_OF_LIFE = r" \(last sign of life (\d+) s ago; it counts as dead after 60 s\)"

# It acquires the lock when all processes that share its stdin are ready, and holds it until it is killed.
ACQUIRE = """
import signal, sys
from pathlib import Path
from litmlp.errors import Failure
from litmlp.lock import RunLock
print("ready", flush=True)
sys.stdin.read()
try:
    RunLock(Path(sys.argv[1])).acquire()
except Failure as failure:
    sys.exit(str(failure))
print("holds", flush=True)
signal.pause()
"""

# Its children kill themselves in `with RunLock(folder)`, each one line of lock.py later than the one before, until one
# survives. Each finds the lock of a dead process. After each, the lock has to be free, and the folder empty.
DIE_AT_EVERY_LINE = """
import os, signal, sys, time
from pathlib import Path
from litmlp import lock
folder = Path(sys.argv[1])
stale = (folder / ".lock").read_bytes()
def die_at(left):
    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != lock.__file__:
            return None
        left -= event == "line"
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    with lock.RunLock(folder):
        pass
    os._exit(0)
number, status = 0, signal.SIGKILL
while status == signal.SIGKILL:
    (folder / ".lock").write_bytes(stale)
    number += 1
    child = os.fork()
    if child == 0:
        die_at(number)
    _, status = os.waitpid(child, 0)
    left_behind = {path: path.read_bytes() for path in folder.iterdir()}
    for path in left_behind:
        if not left_behind[path]:  # it died before it wrote who it is: that counts as alive for a minute
            os.utime(path, (0, 0))
    with lock.RunLock(folder):
        held = [path.name for path in folder.iterdir()]
    assert (held, list(folder.iterdir())) == ([".lock"], []), (number, left_behind)
assert status == 0
print(number)
"""

FORK = """
import os, sys
from pathlib import Path
from litmlp.lock import RunLock
with RunLock(Path(sys.argv[1])) as lock:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        sys.exit(not lock.path.exists())
"""

Process = subprocess.Popen[str]
Starters = Callable[[int], list[Process]]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def python(code: str, *arguments: str | Path) -> list[str]:
    """Without site-packages, as the lock needs none: that starts faster."""
    return [sys.executable, "-S", "-c", code, *map(str, arguments)]


@pytest.fixture
def starters(tmp_path: Path) -> Iterator[Starters]:
    """Starts that many processes, which acquire the lock of tmp_path at the same instant."""
    started: list[Process] = []

    def start(number: int) -> list[Process]:
        gate, opener = os.pipe()
        pipe, command = subprocess.PIPE, python(ACQUIRE, tmp_path)
        processes = [
            subprocess.Popen(command, stdin=gate, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)
            for _ in range(number)
        ]
        started.extend(processes)
        assert [line(process) for process in processes] == ["ready\n"] * number
        os.close(gate)
        os.close(opener)
        return processes

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line(process: Process) -> str:
    """The next line that it prints; empty if it ends without one."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def killed(starters: Starters, tmp_path: Path) -> Process:
    """A process that was killed while it held the lock; nobody has asked for its exit code yet, so it is a zombie."""
    (process,) = starters(1)
    assert line(process) == "holds\n"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return process


def write_lock(folder: Path, age: float = 0, **changes: object) -> bytes:
    """Write the lock of this process with other fields, touched so many seconds ago."""
    (folder / ".lock").unlink(missing_ok=True)
    with RunLock(folder) as lock:
        content = json.dumps(json.loads(lock.path.read_bytes()) | changes).encode()
    return write(folder, content, age)


def write(folder: Path, content: bytes, age: float) -> bytes:
    path = folder / ".lock"
    path.write_bytes(content)
    touched = time.time() - age
    os.utime(path, (touched, touched))
    return content


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def held_by(folder: Path) -> int:
    """The number of the process that holds the lock."""
    return int(json.loads((folder / ".lock").read_bytes())["pid"])


def refusal(folder: Path) -> str:
    """With which line, which changes nothing, the lock is refused."""
    before = (folder / ".lock").read_bytes()
    with pytest.raises(Failure) as failure:
        RunLock(folder).acquire()
    assert (names(folder), (folder / ".lock").read_bytes()) == ([".lock"], before)
    return str(failure.value)


def assert_free(folder: Path) -> None:
    with RunLock(folder):
        assert (names(folder), held_by(folder)) == ([".lock"], os.getpid())
    assert names(folder) == []


def test_the_second_process_ends_with_one_line_and_harms_nothing(starters: Starters, tmp_path: Path) -> None:
    earliest = time.strftime("%Y-%m-%d %H:%M:%S")
    (first,) = starters(1)
    assert line(first) == "holds\n"
    latest = time.strftime("%Y-%m-%d %H:%M:%S")
    (second,) = starters(1)
    _, errors = second.communicate(timeout=60)
    message = f"{tmp_path} is in use by process {first.pid} on host {socket.gethostname()} since "
    assert (errors[: len(message)], second.returncode) == (message, 1)
    assert earliest <= errors[len(message) : -1] <= latest
    assert refusal(tmp_path) + "\n" == errors
    assert first.poll() is None


@LINUX
def test_after_kill_9_the_lock_is_free_at_once(killed: Process, tmp_path: Path) -> None:
    """That is, also while its parent hasn't noticed yet."""
    content = json.loads((tmp_path / ".lock").read_bytes())
    started = Path(f"/proc/{killed.pid}/stat").read_text().split()[21]
    assert (content["pid"], content["started"]) == (killed.pid, started)
    assert_free(tmp_path)


@LINUX
@pytest.mark.parametrize("pid", [os.getpid(), 1, 2**31 - 1], ids=["this one", "1", "none"])
def test_another_process_of_the_same_number_is_not_the_holder(pid: int, tmp_path: Path) -> None:
    write_lock(tmp_path, pid=pid, started="7")
    assert_free(tmp_path)


def test_another_host_counts_as_alive_for_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plum: dict[str, Any] = {"host": "plum", "machine": "plum 7", "pid": 4711, "since": "2026-11-21 14:03:07"}
    message = f"{tmp_path} is in use by process 4711 on host plum since 2026-11-21 14:03:07" + SIGN_OF_LIFE
    write_lock(tmp_path, age=12, **plum)
    told = re.fullmatch(message, refusal(tmp_path))
    assert told is not None
    assert 12 <= int(told[1]) <= 20
    write_lock(tmp_path, age=50, **plum)
    now = time.time
    for error in (-3600, 3600):  # our clock is wrong, that of the file system counts
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda error=error: now() + error)
            assert re.fullmatch(message, refusal(tmp_path))
    write_lock(tmp_path, age=61, **plum)
    assert_free(tmp_path)
    write_lock(tmp_path, age=-100, **plum)  # the file system's clock was wrong when it was touched
    assert_free(tmp_path)


def test_a_container_counts_as_another_host(tmp_path: Path) -> None:
    """It has the same host name, the same boot, and process numbers of its own."""
    container = ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if sys.platform != "linux" or subprocess.run([*container, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no containers here")
    pipe = subprocess.PIPE
    command = [*container, *python(ACQUIRE, tmp_path)]
    message = f"{tmp_path} is in use by process 1 on host {socket.gethostname()} {SINCE}{SIGN_OF_LIFE}"
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, text=True, env=ENVIRONMENT) as process:
        try:
            assert [line(process), line(process)] == ["ready\n", "holds\n"]
            assert re.fullmatch(message, refusal(tmp_path))
        finally:
            process.kill()
    assert re.fullmatch(message, refusal(tmp_path))
    os.utime(tmp_path / ".lock", (0, 0))
    assert_free(tmp_path)


def test_a_damaged_lock_counts_for_a_minute(tmp_path: Path) -> None:
    """Each is waited for, as one that is just being written: side by side."""
    contents = {"a": b"", "b": b'{"host": "kiwi", "mach', "c": b"[1]", "d": b"[" * 9999, "e": b'{"pid": "1"}'}

    def check(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        write(folder, contents[name], age=30)
        assert re.fullmatch(f"{folder} is in use by an unknown process{SIGN_OF_LIFE}", refusal(folder)), name
        write(folder, contents[name], age=61)
        assert_free(folder)

    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(check, contents))


def test_a_lock_that_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    content = write_lock(tmp_path, host="plum", machine="plum 7", pid=4711)
    write(tmp_path, content[:20], age=0)
    writer = threading.Timer(0.1, (tmp_path / ".lock").write_bytes, [content])
    writer.start()
    with pytest.raises(Failure, match="is in use by process 4711 on host plum since "):
        RunLock(tmp_path).acquire()
    writer.join()


@pytest.mark.parametrize("before", ["nothing", "killed while taking over", "silent host"])
@pytest.mark.slow
def test_of_20_that_start_at_the_same_instant_one_wins(
    before: str, starters: Starters, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if before == "killed while taking over":
        request.getfixturevalue("killed")
        content = json.loads((tmp_path / ".lock").read_bytes())
        (tmp_path / f".lock-{content['token']:x}").write_text(json.dumps({**content, "token": 7}))
    elif before == "silent host":
        write_lock(tmp_path, age=61, host="plum", machine="plum 7")
    processes = starters(20)
    winners = [process for process in processes if line(process) == "holds\n"]
    assert len(winners) == 1
    assert (names(tmp_path), held_by(tmp_path)) == ([".lock"], winners[0].pid)
    rivals = {process.pid for process in (winners if before == "nothing" else processes)}
    for process in processes:
        if process not in winners:
            _, errors = process.communicate(timeout=60)
            rival = rf"process (\d+) on host \S+ {SINCE}|an unknown process{SIGN_OF_LIFE}"  # it's slow at writing
            told = re.fullmatch(rf"{tmp_path} is in use by (?:{rival})\n", errors)
            assert told is not None, errors
            assert told[1] is None or int(told[1]) in rivals - {process.pid}
            assert process.returncode == 1
    assert winners[0].poll() is None


@LINUX
def test_killed_at_any_line_it_blocks_nobody_and_leaves_no_clutter(killed: Process, tmp_path: Path) -> None:
    """Here while it takes over a dead process's lock, which comes to all lines of a plain start, too."""
    killed.wait()
    command = python(DIE_AT_EVERY_LINE, tmp_path)
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert int(ended.stdout) > 50


def test_what_a_killed_latecomer_left_is_cleared_away(tmp_path: Path) -> None:
    """It wanted to take over a lock that another process has taken over, and given back, since."""
    content = write_lock(tmp_path, pid=2**31 - 1)
    (tmp_path / ".lock").rename(tmp_path / ".lock-7")
    (tmp_path / ".lock-7-8").write_bytes(content)
    assert_free(tmp_path)


def test_a_beat_touches_the_lock_every_5_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    with RunLock(tmp_path) as lock:
        os.utime(lock.path, (0, 0))
        monkeypatch.setattr(time, "time", lambda: now() + 4)
        lock.beat()
        assert lock.path.stat().st_mtime == 0
        monkeypatch.setattr(time, "time", lambda: now() + 6)
        lock.beat()
        assert abs(lock.path.stat().st_mtime - now()) < 4
        os.utime(lock.path, (0, 0))
        lock.beat()
        assert lock.path.stat().st_mtime == 0
    lock.beat()
    assert names(tmp_path) == []


def test_who_slept_while_another_host_took_over_stops(
    starters: Starters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    lock = RunLock(tmp_path)
    monkeypatch.setattr(socket, "gethostname", lambda: "plum")
    lock.acquire()
    monkeypatch.undo()
    os.utime(lock.path, (0, 0))
    (other,) = starters(1)
    assert line(other) == "holds\n"
    lock.beat()
    monkeypatch.setattr(time, "time", lambda: now() + 6)
    holder = f"process {other.pid} on host {socket.gethostname()} {SINCE}"
    message = f"{tmp_path} was taken over, while this process was suspended, by {holder}"
    for _ in range(2):
        with pytest.raises(Failure) as failure:
            lock.beat()
        assert re.fullmatch(message, str(failure.value))
    lock.release()
    assert held_by(tmp_path) == other.pid


def test_who_has_lost_the_file_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    with RunLock(tmp_path) as lock:
        lock.path.unlink()
        monkeypatch.setattr(time, "time", lambda: now() - 6)  # the clock was set back
        with pytest.raises(Failure) as failure:
            lock.beat()
    reason = "No such file or directory"
    assert str(failure.value) == f"lost {lock.path} ({reason}): another process may be using {tmp_path}"


def fail_with(lock: RunLock) -> None:
    with lock:
        assert names(lock.folder) == [".lock"]
        raise ZeroDivisionError


def test_it_is_released_however_training_ends_and_once(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "new" / "run")
    with pytest.raises(ZeroDivisionError):
        fail_with(lock)
    assert names(lock.folder) == []
    lock.acquire()
    assert f" is in use by process {os.getpid()} on host " in refusal(lock.folder)
    lock.release()
    with RunLock(lock.folder):
        lock.release()
        assert names(lock.folder) == [".lock"]


def test_a_fork_does_not_release_it(tmp_path: Path) -> None:
    assert subprocess.run(python(FORK, tmp_path), env=ENVIRONMENT, check=False).returncode == 0
    assert names(tmp_path) == []


@pytest.mark.parametrize("stale", [False, True])
def test_a_folder_that_can_not_be_written_to_is_named(
    stale: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    if stale:
        write_lock(tmp_path, pid=2**31 - 1)
    before = names(tmp_path)
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(Failure) as failure:
            RunLock(Path()).acquire()
    finally:
        os.seteuid(0)
    assert str(failure.value) == "can't write .lock (Permission denied)"
    assert names(tmp_path) == before


@pytest.mark.parametrize("stale", [False, True])
def test_a_full_disk_is_named_and_nothing_is_left(stale: bool, tmp_path: Path) -> None:
    if stale:
        write_lock(tmp_path, pid=2**31 - 1)
    before = names(tmp_path)
    with file_size_limit(10), pytest.raises(Failure) as failure:
        RunLock(tmp_path).acquire()
    assert str(failure.value) == f"can't write {tmp_path / '.lock'} (File too large)"
    assert names(tmp_path) == before
    assert_free(tmp_path)


def test_what_is_no_folder_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / ".lock").symlink_to("nowhere")
    for folder, reason in ((tmp_path / "file", "File exists"), (tmp_path, "No such file or directory")):
        with pytest.raises(Failure) as failure:
            RunLock(folder).acquire()
        assert str(failure.value) == f"can't write {folder / '.lock'} ({reason})"
