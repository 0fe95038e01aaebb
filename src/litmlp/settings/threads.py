"""How many threads a process computes with."""

import math
import os
from contextlib import suppress
from pathlib import Path

import torch

CGROUPS = Path("/sys/fs/cgroup")


def default_threads(processes: int = 1) -> int:
    """As many as torch takes by itself (``OMP_NUM_THREADS``, or one for each core), within a container's CPU quota.

    Args:
        processes: how many of a training share the machine.
    """
    threads = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return threads
    return max(1, math.ceil(min(threads, cpu_quota())) // processes)


def cores() -> int:
    """The cores that this process may use, of those of the machine, within a container's CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, cpu_quota())))


def use_threads(threads: int) -> None:
    """Compute with so many threads, in this process and in those that it starts, which Lightning then leaves alone."""
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)


def cpu_quota(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> float:
    """The CPUs that the control groups of this process allow, whatever the machine has; infinite if there is no limit.

    Args:
        root: where the control groups are mounted.
        own: names the groups of this process, a line each.
    """
    quotas = [math.inf]
    with suppress(OSError, UnicodeDecodeError):
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            mount = root if not controllers else root / controllers
            group = mount / path.strip("/")
            for folder in (group, *group.parents):
                quotas.append(quota_of(folder))
                if folder == mount:
                    break
    return min(quotas)


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
