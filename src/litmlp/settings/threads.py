"""How many threads a process computes with."""

import math
import os

import torch

from litmlp.cgroups import cpu_quota


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
