"""What a container, or another control group of the kernel's, allows its processes."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cpu_quota(root: Path = CGROUPS, own: Path = OWN) -> float:
    """The CPUs that the control groups of this process allow, whatever the machine has; infinite if there is no limit.

    Args:
        root: where the control groups are mounted.
        own: names the groups of this process, a line each.
    """
    return lowest(quota_of, root, own)


def memory_limit(root: Path = CGROUPS, own: Path = OWN) -> float:
    """The bytes of memory that they allow, likewise."""
    return lowest(limit_of, root, own)


def machine_memory(root: Path = CGROUPS, own: Path = OWN) -> int | None:
    """The bytes that this machine has, or the container that we are in; None where the system doesn't say."""
    limits = [memory_limit(root, own)]
    if hasattr(os, "sysconf"):  # not on Windows
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None if (limit := min(limits)) == math.inf else int(limit)


def lowest(limit: Callable[[Path], float], root: Path, own: Path) -> float:
    """The lowest limit of the groups of this process and of those around them."""
    limits = [math.inf]
    with suppress(OSError, UnicodeDecodeError):
        limits += [limit(folder) for folder in groups(root, own.read_text(encoding="ascii"))]
    return min(limits)


def groups(root: Path, own: str) -> Iterator[Path]:
    """The folders of the groups that the lines name, and of those around them."""
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        mount = root if not controllers else root / controllers
        group = mount / path.strip("/")
        for folder in (group, *group.parents):
            yield folder
            if folder == mount:
                break


def quota_of(folder: Path) -> float:
    """The CPUs that one control group allows, of version 2 (``cpu.max``) or 1."""
    with suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota, period = (
            (folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip() for name in ("quota", "period")
        )
        return math.inf if int(quota) < 0 else int(quota) / int(period)
    return math.inf


def limit_of(folder: Path) -> float:
    """The bytes that one control group allows, of version 2 (``memory.max``) or 1."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return int((folder / name).read_text(encoding="ascii"))
    return math.inf
