"""Where a search keeps its trials: a journal file in its folder, or a database that any number of machines share."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from litmlp.errors import Failure, UsageError
from litmlp.signals import INTERRUPTION

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

GRACE = 5  # missed heartbeats after which a worker counts as dead: Optuna's issues 4234 and 5470
ATTEMPTS = 10  # of several workers that make the tables of a new database at the same moment


def open_journal(path: Path) -> "BaseStorage":
    """The storage in a file, which nobody else writes.

    What was being written when a process was killed or the power failed is left out, as is that process's lock.

    Args:
        path: the file.
    """
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock, JournalStorage  # noqa: PLC0415

    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)
    return JournalStorage(JournalFileBackend(str(path), JournalFileSymlinkLock(str(path))))


def open_database(url: str, heartbeat: int) -> "RDBStorage":
    """The storage in a database.

    Args:
        url: as SQLAlchemy takes it.
        heartbeat: seconds from one sign of life of a worker to the next.

    Raises:
        UsageError: if there can't be such a database.
        Failure: if it doesn't answer.
    """
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, ProgrammingError  # noqa: PLC0415

    for attempt in range(ATTEMPTS):
        try:
            with warnings.catch_warnings(action="ignore"), database_errors(url):
                return RDBStorage(
                    url,
                    engine_kwargs={"pool_pre_ping": True},
                    heartbeat_interval=heartbeat,
                    grace_period=GRACE * heartbeat,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(inherit_intermediate_values=True),
                )
        except (ArgumentError, NoSuchModuleError):
            raise UsageError(f"--storage {url}: must be like postgresql://user@host/database") from None
        except ImportError as error:
            raise Failure(
                f"--storage {hidden(url)}: {first_line(error)}: pip install -r requirements-search.txt"
            ) from None
        except (IntegrityError, ProgrammingError):
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


@contextmanager
def database_errors(url: str | None) -> Iterator[None]:
    """Turn the errors of a database that can't be reached into Failures."""
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError, OperationalError  # noqa: PLC0415

    try:
        yield
    except (OperationalError, StorageInternalError) as error:
        cause = error if isinstance(error, DBAPIError) else error.__cause__
        reason = first_line(cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else error)
        raise Failure(f"--storage {hidden(url or '')}: {reason}; {INTERRUPTION.advice}") from error


def hidden(url: str) -> str:
    """A URL without its password."""
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    return make_url(url).render_as_string(hide_password=True)


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0]
