"""How fits that run side by side share the machine."""

import argparse
import os

import torch
from jsonargparse import Namespace

from litmlp.flags import Parser
from litmlp.ranges import check_ranges
from litmlp.settings.command_line import processes_in
from litmlp.settings.threads import cores, use_threads

JOBS = "fits side by side; by default one on each core, with one thread, and one at a time on an accelerator"


def add_jobs(parser: Parser) -> None:
    """Add the flag ``--jobs``."""
    parser.add_argument("--jobs", type=int, help=JOBS)


def share_threads(flags: argparse.Namespace, fits: int) -> int:
    """Compute with a fit's share of the threads, as every fit without --threads will: how many they are.

    It is ``OMP_NUM_THREADS``, if that is set.

    Args:
        flags: with ``jobs``.
        fits: how many there are.

    Raises:
        UsageError: if ``--jobs`` is out of its range.
    """
    check_ranges({"jobs": flags.jobs})
    jobs = min(flags.jobs or cores(), fits)
    threads = torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else max(1, cores() // jobs)
    use_threads(threads)
    return threads


def jobs_at_once(flags: argparse.Namespace, settings: Namespace) -> int:
    """How many fits of these settings run side by side."""
    if flags.jobs is not None:
        return int(flags.jobs)
    if settings.accelerator != "cpu" and torch.accelerator.is_available():
        return 1
    threads: int = settings.threads * processes_in(settings)
    return max(1, cores() // threads)
