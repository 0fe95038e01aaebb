"""How much memory samples may take, before they are kept in files and read from there."""

import re

from litmlp.cgroups import machine_memory
from litmlp.errors import UsageError

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
LEAST = 1_000_000  # bytes


def memory_for_samples(asked: str | None) -> int | None:
    """The bytes that samples may take: as asked, or half of what there is; None where the system doesn't say.

    Raises:
        UsageError: if what is asked is no size.
    """
    if asked is not None:
        return parse_size(asked)
    available = machine_memory()
    return None if available is None else available // 2


def parse_size(text: str) -> int:
    """The bytes of a size, such as 2GB, 500MB or 1.5GiB.

    Raises:
        UsageError: if it is none.
    """
    found = SIZE.fullmatch(text.strip())
    size = 0.0
    if found is not None:
        number, unit, binary = found.groups()
        size = float(number) * (1024 if binary else 1000) ** POWERS[unit.lower()]
    if not LEAST <= size < 2**60:
        raise UsageError(f"--memory {text}: must be a size from 1MB on, as 2GB")
    return int(size)


def default_memory() -> str | None:
    """Half of the memory that there is, as ``--memory`` says it, for a run to keep."""
    memory = memory_for_samples(None)
    return None if memory is None else f"{memory / 1e9:.1f}GB"
