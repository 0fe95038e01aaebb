"""How much memory there is."""

import os
from pathlib import Path

CGROUP_LIMITS = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")  # versions 2 and 1


def machine_memory(root: Path = Path("/")) -> int | None:
    """The bytes that this machine has, or the container that we are in; None where the system doesn't say.

    Args:
        root: where the file system begins.
    """
    limits = []
    if hasattr(os, "sysconf"):  # not on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in CGROUP_LIMITS:
        path = root / name
        if path.is_file() and (limit := path.read_text(encoding="ascii").strip()).isdecimal():  # otherwise it is "max"
            limits.append(int(limit))
    return min(limits, default=None)
