"""Samples in files: row-major blocks with checksums, for data that don't fit into memory.

Each split has a file of samples and one of targets. Both hold the same number of blocks, each of which is a random
sample of the whole split (see :mod:`litmlp.tasks.dealing`). A block is read as a whole, and checked, so that a file
that was damaged or cut off ends in a line instead of wrong batches or a SIGBUS.
"""

import io
import warnings
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure

BLOCKS_IN_A_WINDOW = 4
WINDOW_ROWS = 2**18  # where memory allows: MosaicML Streaming's advice for shuffling
SHARE = 8  # of the memory for samples, which a window or a chunk of the source takes one of


class Field(NamedTuple):
    """What a row has in a file.

    Attributes:
        shape: of a row's values.
        dtype: their type, as NumPy calls it.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def row_bytes(self) -> int:
        """The bytes of a row."""
        return int(numpy.prod(self.shape, dtype=numpy.int64)) * numpy.dtype(self.dtype).itemsize

    def empty(self, rows: int) -> Tensor:
        """A tensor (rows, *shape) whose values aren't set."""
        return torch.from_numpy(numpy.empty((rows, *self.shape), self.dtype))


class Layout(NamedTuple):
    """How a split lies in its files.

    Attributes:
        rows: how many there are.
        blocks: how many; all have the same number of rows, and the last one also what is left over.
        fields: of its samples and of its targets.
    """

    rows: int
    blocks: int
    fields: tuple[Field, Field]

    @property
    def block_rows(self) -> int:
        """The rows of a block."""
        return self.rows // self.blocks

    def rows_of(self, block: int) -> int:
        """The rows of one block."""
        return self.block_rows + (self.rows % self.blocks if block == self.blocks - 1 else 0)


def layout_of(rows: int, fields: tuple[Field, Field], memory: int) -> Layout:
    """The layout with which a window has 2^18 rows, or as many as fit into an eighth of the memory for samples."""
    window = min(WINDOW_ROWS, rows_in_a_share(fields, memory))
    return Layout(rows, max(1, rows // max(1, window // BLOCKS_IN_A_WINDOW)), fields)


def rows_in_a_share(fields: tuple[Field, Field], memory: int) -> int:
    """How many rows fit into an eighth of the memory for samples; at least one."""
    return max(1, memory // SHARE // sum(field.row_bytes for field in fields))


class StoredSplit:
    """A split in its files.

    Args:
        folder: that they lie in.
        name: of the split.
        layout: how it lies there.
        checksums: CRC-32 of each block, first of the samples' and then of the targets'.

    Raises:
        Failure: if a file is missing, or its size isn't that of the layout.
    """

    def __init__(self, folder: Path, name: str, layout: Layout, checksums: tuple[Sequence[int], Sequence[int]]) -> None:
        self.layout = layout
        self.checksums = checksums
        self.paths = paths_of(folder, name)
        for path, field in zip(self.paths, layout.fields, strict=True):
            if not path.is_file() or path.stat().st_size != layout.rows * field.row_bytes:
                raise damaged(path)

    @cached_property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """Samples (rows, *sample_shape) and targets, mapped: pages are read where they are looked at."""
        samples, targets = (
            mapped(path, (self.layout.rows, *field.shape), field.dtype)
            for path, field in zip(self.paths, self.layout.fields, strict=True)
        )
        return samples, targets

    def head(self) -> tuple[Tensor, Tensor]:
        """The samples and targets of the first window, a random sample of all; raises what :meth:`read` does."""
        return self.read(range(min(BLOCKS_IN_A_WINDOW, self.layout.blocks)))

    def read(self, blocks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The samples and targets of blocks, one block after the other.

        Raises:
            Failure: if a file was damaged, cut off or deleted.
        """
        rows = sum(map(self.layout.rows_of, blocks))
        samples, targets = (field.empty(rows) for field in self.layout.fields)
        for path, tensor, field, sums in zip(
            self.paths, (samples, targets), self.layout.fields, self.checksums, strict=True
        ):
            memory, at = bytes_of(tensor.numpy()), 0
            try:
                with path.open("rb", buffering=0) as file:
                    for block in blocks:
                        part = memory[at : at + self.layout.rows_of(block) * field.row_bytes]
                        file.seek(block * self.layout.block_rows * field.row_bytes)
                        if read_into(file, part) != len(part) or zlib.crc32(part) != sums[block]:
                            raise damaged(path)
                        at += len(part)
            except OSError:
                raise damaged(path) from None
        return samples, targets


def plain_of(layout: Layout, checksums: tuple[Sequence[int], Sequence[int]]) -> list[Any]:
    """A split's layout and checksums as plain values, for a header."""
    return [*layout, checksums]


def splits_from(folder: Path, plain: Mapping[str, Any]) -> dict[str, StoredSplit]:
    """The splits of a folder, from what :func:`plain_of` has given for each.

    Raises:
        Failure: if a file of one is missing or damaged.
    """
    splits = {}
    for name, (rows, blocks, fields, checksums) in plain.items():
        samples, targets = (Field(tuple(shape), dtype) for shape, dtype in fields)
        splits[name] = StoredSplit(folder, name, Layout(rows, blocks, (samples, targets)), checksums)
    return splits


def bytes_of(array: Any) -> memoryview:
    """The bytes of a contiguous array."""
    return memoryview(array.reshape(-1).view(numpy.uint8))


def read_into(file: io.FileIO, memory: memoryview) -> int:
    """Fill memory from a file: how many bytes there were."""
    done = 0
    while done < len(memory) and (count := file.readinto(memory[done:])):
        done += count
    return done


def mapped(path: Path, shape: tuple[int, ...], dtype: str) -> Tensor:
    """A file as a tensor that nobody may write to."""
    array = numpy.memmap(path, dtype, "r", shape=shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def paths_of(folder: Path, name: str) -> tuple[Path, Path]:
    """The files of a split's samples and of its targets."""
    return folder / f"{name}.samples", folder / f"{name}.targets"


def damaged(path: Path) -> Failure:
    """The error for a file that isn't what it was when it was written."""
    return Failure(
        f"{path} is damaged or gone: delete the rest with litmlp cache --delete {path.parent.name}, and start again"
    )
