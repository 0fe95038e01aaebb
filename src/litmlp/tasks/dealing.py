"""Shuffles rows that come in a stream, once, into blocks each of which is a random sample of all of them.

The rows of a chunk are permuted by the seed and dealt out to the blocks like cards. So a block has about the same share
of each chunk, whatever the order of the source, and an epoch only has to permute blocks, and rows within a few of them:
CorgiPile's loss on sorted sources (arXiv:2206.05830) doesn't arise (Corgi², arXiv:2309.01640).
"""

import io
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.randomness import DEAL, generator
from litmlp.tasks.stored import Layout, bytes_of, paths_of


class Dealer:
    """Writes the files of a split. A context manager, which closes them.

    Args:
        folder: that they are written to.
        name: of the split.
        layout: with the number of rows that are going to come.
        seed: of the shuffle.

    Attributes:
        checksums: CRC-32 of each block so far, of the samples' and of the targets'.
    """

    def __init__(self, folder: Path, name: str, layout: Layout, seed: int) -> None:
        self.layout = layout
        self.seed = seed
        self.files: list[io.FileIO] = [path.open("xb", buffering=0) for path in paths_of(folder, name)]
        self.waiting: tuple[Tensor, ...] = tuple(field.empty(0) for field in layout.fields)
        self.dealt = 0  # rows that each block has
        self.chunks = 0
        self.checksums = [0] * layout.blocks, [0] * layout.blocks

    def add(self, samples: Tensor, targets: Tensor) -> None:
        """Deal out the rows of a chunk: samples (rows, *shape) and targets.

        Raises:
            OSError: if the disk is full, say.
        """
        order = torch.randperm(len(samples), generator=generator(self.seed, DEAL, self.chunks))
        self.chunks += 1
        self.waiting = tuple(
            torch.cat([waiting, part.index_select(0, order)])
            for waiting, part in zip(self.waiting, (samples, targets), strict=True)
        )
        rounds = len(self.waiting[0]) // self.layout.blocks
        if rounds == 0:
            return
        for number, rows in enumerate(self.waiting):
            by_block = rows[: rounds * self.layout.blocks].unflatten(0, (rounds, self.layout.blocks)).transpose(0, 1)
            for block, own in enumerate(by_block.contiguous().numpy()):
                self._write(number, block, own, self.dealt)
        self.waiting = tuple(rows[rounds * self.layout.blocks :].clone() for rows in self.waiting)
        self.dealt += rounds

    def close(self) -> None:
        """Put the rows that are left, fewer than there are blocks, at the end of the last block.

        Raises:
            Failure: if other rows came than the layout has.
            OSError: if the disk is full, say.
        """
        if self.dealt * self.layout.blocks + len(self.waiting[0]) != self.layout.rows:
            raise Failure("the files changed while they were read: start again")
        for number, rows in enumerate(self.waiting):
            self._write(number, self.layout.blocks - 1, rows.numpy(), self.dealt)

    def _write(self, number: int, block: int, rows: Any, after: int) -> None:
        """Write rows of a field to a block that has some already."""
        field, file = self.layout.fields[number], self.files[number]
        content = bytes_of(rows)
        file.seek((block * self.layout.block_rows + after) * field.row_bytes)
        done = 0
        while done < len(content):
            done += file.write(content[done:])
        self.checksums[number][block] = zlib.crc32(content, self.checksums[number][block])

    def __enter__(self) -> "Dealer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files:
            file.close()
