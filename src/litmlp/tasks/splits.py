"""Which rows are trained on, validated on and tested on."""

import math

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.randomness import SPLIT, generator

FREQUENT = 0.05  # of all rows: what so many have isn't copied, but common
FREQUENT_ROWS = 5  # of a small table likewise
ROW_HASH = 0x9E3779B97F4A7C15  # odd: 2^64 divided by the golden ratio, as in Knuth's multiplicative hashing


def split_rows(groups: Tensor, strata: Tensor, fraction: float, seed: int, draw: int) -> tuple[Tensor, Tensor]:
    """Split rows so that all of a group are on one side, and each stratum is on both sides in the same proportion.

    Groups are taken in a random order, stratum by stratum, until their rows are the fraction that is split off.

    Args:
        groups: of each row, (rows,), as any whole numbers.
        strata: of each row, (rows,), such as its class; a group is where its first row is.
        fraction: of the rows that are split off.
        seed: of the random order.
        draw: distinguishes several splits with one seed.

    Returns:
        The indices of the rows that stay and of those split off, each in order.
    """
    _, first, group = numpy.unique(groups.numpy(), return_index=True, return_inverse=True)
    sizes = numpy.bincount(group)  # (groups,)
    strata_of_groups = strata.numpy()[first]  # (groups,)
    order = torch.randperm(len(sizes), generator=generator(seed, SPLIT, draw)).numpy()
    off = numpy.zeros(len(sizes), dtype=bool)
    for stratum in numpy.unique(strata_of_groups):
        own = order[strata_of_groups[order] == stratum]
        wanted = sizes[own].sum() * fraction
        rows_before = numpy.cumsum(sizes[own]) - sizes[own]
        off[own[rows_before + sizes[own] / 2 <= wanted]] = True
    rows_off = torch.from_numpy(off[group])
    return torch.nonzero(~rows_off).flatten(), torch.nonzero(rows_off).flatten()


def split_in_time(times: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Split the latest rows off; rows of one time stay on one side.

    Args:
        times: of each row, (rows,).
        fraction: of the rows that are split off, at most.

    Returns:
        The indices of the earlier and of the later rows, each in order.
    """
    kept = math.ceil(len(times) * (1 - fraction))
    last = times.sort().values[kept - 1]
    return torch.nonzero(times <= last).flatten(), torch.nonzero(times > last).flatten()


def without_frequent(groups: Tensor) -> Tensor:
    """Groups (rows,) as other whole numbers, where each row of one with over 5 % of all rows (and over 5) is its own.

    Otherwise a table with a few combinations of categories, each in many rows, couldn't be split.
    """
    _, group, sizes = numpy.unique(groups.numpy(), return_inverse=True, return_counts=True)
    is_frequent = sizes[group] > max(FREQUENT_ROWS, FREQUENT * len(group))  # (rows,)
    return torch.from_numpy(numpy.where(is_frequent, len(sizes) + numpy.arange(len(group)), group))


def require_rows(name: str, rows: int, source: str) -> None:
    """Raise a Failure if a split is empty."""
    if rows == 0:
        raise Failure(f"{source}: no row is left to {name}; give more rows, or files of their own for each split")


def row_hashes(rows: Tensor) -> Tensor:
    """A number (rows,) for each row (rows, columns), the same for rows that are the same."""
    bits = rows.contiguous().numpy().view(numpy.uint32).astype(numpy.uint64)
    hashed = numpy.zeros(len(bits), dtype=numpy.uint64)
    for column in bits.T:
        hashed = (hashed ^ column) * numpy.uint64(ROW_HASH)
        hashed ^= hashed >> numpy.uint64(29)
    return torch.from_numpy(hashed.view(numpy.int64))
