"""Shuffles rows that come in a stream, once, into blocks each of which is a random sample of all of them.

The rows of a chunk are permuted by the seed and dealt out to the blocks like cards, where the chunk before has ended.
So a block has about the same share of each chunk, whatever the order of the source, and an epoch only has to permute
blocks, and rows within a few of them: CorgiPile's loss on sorted sources (arXiv:2206.05830) doesn't arise (Corgi²,
arXiv:2309.01640). Each chunk is appended to the files as it comes, block after block.
"""

import io
import zlib
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy
import torch
from torch import Tensor

from litmlp.randomness import DEAL, generator
from litmlp.tasks.stored import Field, bytes_of, dealt_before, paths_of


class Dealer:
    """Writes the files of a split. A context manager, which closes them.

    Args:
        folder: that they are written to.
        name: of the split.
        blocks: how many.
        fields: of the samples and of the targets.
        seed: of the shuffle.

    Attributes:
        chunks: the rows of each chunk so far.
        checksums: CRC-32 of each block so far, of the samples' and of the targets'.
    """

    def __init__(self, folder: Path, name: str, blocks: int, fields: tuple[Field, Field], seed: int) -> None:
        self.blocks, self.fields, self.seed = blocks, fields, seed
        self.files: list[io.FileIO] = [path.open("xb", buffering=0) for path in paths_of(folder, name)]
        self.buffers = [field.empty(0) for field in fields]  # that are used again: new memory costs as much as copying
        self.chunks: list[int] = []
        self.checksums = [0] * blocks, [0] * blocks

    def add(self, samples: Tensor, targets: Tensor, own: Any = None) -> tuple[Tensor, Tensor]:
        """Deal out the rows of a chunk, on one core: others read the next one.

        Args:
            samples: (rows, *sample_shape).
            targets: (rows, …).
            own: the indices (own,) of those that belong to the split, an array; None for all.

        Returns:
            Their samples and targets in the order of the files, until more are added.

        Raises:
            OSError: if the disk is full, say.
        """
        count = len(samples if own is None else own)
        order = torch.randperm(count, generator=generator(self.seed, DEAL, len(self.chunks))).numpy()
        order = order if own is None else own[order]  # (own,)
        start = sum(self.chunks)
        edges = dealt_before(range(self.blocks + 1), self.blocks, start, start + count).tolist()
        if count > len(self.buffers[0]):
            self.buffers = [field.empty(count) for field in self.fields]
        shuffled = tuple(buffer[:count] for buffer in self.buffers)
        for number, (values, part) in enumerate(zip((samples, targets), shuffled, strict=True)):
            numpy.take(values.numpy(), order, 0, part.numpy(), mode="clip")  # other modes copy twice
            self._write(number, part, edges)
        self.chunks.append(count)
        return shuffled[0], shuffled[1]

    def _write(self, number: int, part: Tensor, edges: list[int]) -> None:
        """Append a field of a chunk, whose pieces for the blocks have these edges."""
        content, row_bytes, sums = bytes_of(part.numpy()), self.fields[number].row_bytes, self.checksums[number]
        for block, (first, end) in enumerate(pairwise(edges)):
            sums[block] = zlib.crc32(content[first * row_bytes : end * row_bytes], sums[block])
        done = 0
        while done < len(content):
            done += self.files[number].write(content[done:])

    def __enter__(self) -> "Dealer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files:
            file.close()
