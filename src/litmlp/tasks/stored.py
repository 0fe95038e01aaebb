"""Samples in files: row-major blocks with checksums, for data that don't fit into memory.

Each split has a file of samples and one of targets. Both hold the same number of blocks, each of which is a random
sample of the whole split (see :mod:`litmlp.tasks.dealing`), in a piece for each chunk of the source. A block is read as
a whole, and checked, so that a file that was damaged or cut off ends in a line instead of wrong batches or a SIGBUS.
"""

import io
import math
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from numpy.typing import ArrayLike, NDArray
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
        return math.prod(self.shape) * numpy.dtype(self.dtype).itemsize

    def empty(self, rows: int) -> Tensor:
        """A tensor (rows, *shape) whose values aren't set."""
        return torch.from_numpy(numpy.empty((rows, *self.shape), self.dtype))


@dataclass(frozen=True)
class Layout:
    """How a split lies in its files: chunk after chunk, and in each of them a piece of every block.

    Attributes:
        chunks: how many rows each has.
        blocks: how many; they have the same number of rows, or one more.
        window: how many of them are read together.
        fields: of its samples and of its targets.
    """

    chunks: tuple[int, ...]
    blocks: int
    window: int
    fields: tuple[Field, Field]

    @cached_property
    def edges(self) -> NDArray[numpy.int64]:
        """Where the chunks (chunks,) begin in the file, and the last one ends."""
        return numpy.cumsum([0, *self.chunks], dtype=numpy.int64)

    @property
    def rows(self) -> int:
        """The rows of all blocks."""
        return int(self.edges[-1])

    def rows_of(self, block: int) -> int:
        """The rows of one block."""
        before, after = dealt_before([block, block + 1], self.blocks, 0, self.rows)
        return int(after - before)

    def pieces_of(self, block: int) -> Iterator[tuple[int, int]]:
        """The first row of each piece of a block, counted from the beginning of the file, and how many it has."""
        starts, ends = self.edges[:-1], self.edges[1:]
        first, after = (dealt_before(number, self.blocks, starts, ends) for number in (block, block + 1))
        return zip((starts + first).tolist(), (after - first).tolist(), strict=True)


def dealt_before(blocks: ArrayLike, of: int, start: ArrayLike, end: ArrayLike) -> NDArray[numpy.int64]:
    """How many of the cards from ``start`` to ``end`` - 1 are dealt to the blocks before each of some.

    Args:
        blocks: their numbers.
        of: how many blocks there are.
        start: the number of a card; card 0 goes to block 0. One for all, or one each.
        end: likewise.
    """
    block = numpy.asarray(blocks, numpy.int64)

    def among_the_first(cards: ArrayLike) -> NDArray[numpy.int64]:
        rounds, left = numpy.divmod(numpy.asarray(cards, numpy.int64), of)
        return rounds * block + numpy.minimum(left, block)

    return among_the_first(end) - among_the_first(start)


def blocks_for(rows: int, fields: tuple[Field, Field], memory: int) -> int:
    """Into how many blocks to deal about so many rows, for four of them to be a window."""
    return max(1, rows // max(1, window_rows(fields, memory) // BLOCKS_IN_A_WINDOW))


def layout_of(chunks: Sequence[int], blocks: int, fields: tuple[Field, Field], memory: int) -> Layout:
    """The layout of chunks that were dealt out, with a window of as many blocks as come closest to its rows."""
    block_rows = max(1.0, sum(chunks) / blocks)
    window = round(window_rows(fields, memory) / block_rows)
    return Layout(tuple(chunks), blocks, min(blocks, max(1, window)), fields)


def window_rows(fields: tuple[Field, Field], memory: int) -> int:
    """How many rows a window has: 2^18, or as many as fit into an eighth of the memory for samples."""
    return min(WINDOW_ROWS, rows_in_a_share(fields, memory))


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
        return self.read(range(self.layout.window))

    def read(self, blocks: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The samples and targets of blocks, one block after the other.

        Raises:
            Failure: if a file was damaged, cut off or deleted.
        """
        rows = [self.layout.rows_of(block) for block in blocks]
        samples, targets = (field.empty(sum(rows)) for field in self.layout.fields)
        for path, tensor, field, sums in zip(
            self.paths, (samples, targets), self.layout.fields, self.checksums, strict=True
        ):
            memory, at = bytes_of(tensor.numpy()), 0
            try:
                with path.open("rb", buffering=0) as file:
                    for block, count in zip(blocks, rows, strict=True):
                        part = memory[at : at + count * field.row_bytes]
                        if not self._read_block(file, block, field, part) or zlib.crc32(part) != sums[block]:
                            raise damaged(path)
                        at += len(part)
            except OSError:
                raise damaged(path) from None
        return samples, targets

    def _read_block(self, file: io.FileIO, block: int, field: Field, memory: memoryview) -> bool:
        """Read the pieces of a block: whether all are there."""
        at, row_bytes = 0, field.row_bytes
        for first, count in self.layout.pieces_of(block):
            file.seek(first * row_bytes)
            at += read_into(file, memory[at : at + count * row_bytes])
        return at == len(memory)


def plain_of(layout: Layout, checksums: tuple[Sequence[int], Sequence[int]]) -> list[Any]:
    """A split's layout and checksums as plain values, for a header."""
    return [layout.chunks, layout.blocks, layout.window, layout.fields, checksums]


def splits_from(folder: Path, plain: Mapping[str, Any]) -> dict[str, StoredSplit]:
    """The splits of a folder, from what :func:`plain_of` has given for each.

    Raises:
        Failure: if a file of one is missing or damaged.
    """
    splits = {}
    for name, (chunks, blocks, window, fields, checksums) in plain.items():
        samples, targets = (Field(tuple(shape), dtype) for shape, dtype in fields)
        layout = Layout(tuple(chunks), blocks, window, (samples, targets))
        splits[name] = StoredSplit(folder, name, layout, checksums)
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
