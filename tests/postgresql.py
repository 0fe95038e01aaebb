"""A real PostgreSQL of Debian's packages, for as long as a test needs it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
MISSING = "there is no PostgreSQL here, or no root to start it as another user: apt-get install postgresql"


def is_possible() -> bool:
    """Whether a server can be started here."""
    return bool(PROGRAMS) and os.geteuid() == 0


@contextmanager
def postgresql() -> Iterator[str]:
    """A server in a temporary folder, which no other machine can reach: its URL, with {} for the database's name."""
    # A socket's path must be short, and another user's folders open.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    shutil.chown(folder, "postgres")

    def run(program: str, *flags: str) -> None:
        command = [str(PROGRAMS[-1] / program), "-D", str(folder / "data"), *flags]
        subprocess.run(command, user="postgres", cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("initdb", "-A", "trust")
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses= -c fsync=off", "start")
    try:
        yield f"postgresql://postgres@/{{}}?host={folder}"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def make_database(url: str, name: str) -> str:
    """Make a database on a server of that URL: the database's."""
    host = url.rpartition("=")[2]
    subprocess.run([str(PROGRAMS[-1] / "createdb"), "-h", host, "-U", "postgres", name], check=True)
    return url.format(name)
