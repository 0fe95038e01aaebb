"""Batches of a split that lies in files: an epoch's order without a table of all samples, and still exact to resume."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import torch
from torch import Tensor

from litmlp.randomness import ORDER, epoch_order, generator
from litmlp.tasks.loader import Batch, BatchLoader
from litmlp.tasks.stored import StoredSplit


class StoredLoader(BatchLoader):
    """Iterates over one process's share of a split in files, with two windows of it in memory.

    Training: the blocks are permuted by (seed, epoch), a few after another make a window, and its rows are permuted by
    (seed, epoch, window). So the place in an epoch says which window it is in, there is no state to save, and a resumed
    epoch reads no other window. The next window is read while a thread works on the one before. Steps, and what each
    process gets of them, are those of :class:`BatchLoader`.

    Evaluation: block after block, as they are stored.
    """

    def __init__(
        self, split: StoredSplit, batch_size: int, seed: int | None = None, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__(*split.tensors, batch_size, seed, rank, world_size)
        self.split = split

    def to(self, device: torch.device) -> Self:
        """Yield batches on a device from now on; the samples stay in their files."""
        self.device = device
        return self

    def _training_steps(self, first: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        for samples, targets in self._steps(first * self.step_size):
            own, weight = self._share(torch.arange(len(samples)))
            yield (samples, targets, weight) if self.world_size == 1 else (samples[own], targets[own], weight)

    def _evaluation_batches(self) -> Iterator[Batch]:
        own = slice(self.rank, None, self.world_size)
        for samples, targets in self._steps(0):
            yield self._on_device(samples[own], targets[own])

    def _steps(self, position: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The samples and targets of all processes' steps, from that place in the epoch on."""
        left: tuple[Tensor, Tensor] | None = None  # of the windows before, fewer than a step has
        for samples, targets, order in self._windows(position):
            at = 0
            while (wanted := self.step_size - (len(left[0]) if left else 0)) <= len(order) - at:
                yield joined(left, samples, targets, order[at : at + wanted])
                left, at = None, at + wanted
            if at < len(order):
                left = joined(left, samples, targets, order[at:])
        if left:
            yield left

    def _windows(self, position: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Samples and targets of each window, and the order to take them in, from that place in the epoch on."""
        blocks = list(range(self.split.layout.blocks))
        if self.seed is not None:
            blocks = epoch_order(len(blocks), self.seed, self.epoch).tolist()
        together = self.split.layout.window
        windows = [blocks[at : at + together] for at in range(0, len(blocks), together)]
        sizes = [sum(map(self.split.layout.rows_of, window)) for window in windows]
        number = 0
        while number < len(windows) and position >= sizes[number]:
            position -= sizes[number]
            number += 1
        with ThreadPoolExecutor(1, "window") as reader:
            following = reader.submit(self.split.read, windows[number]) if number < len(windows) else None
            while following is not None:
                samples, targets = following.result()
                more = number + 1 < len(windows)
                following = reader.submit(self.split.read, windows[number + 1]) if more else None
                yield samples, targets, self._order(sizes[number], number)[position:]
                number, position = number + 1, 0

    def _order(self, rows: int, window: int) -> Tensor:
        """The order (rows,) of a window's rows."""
        if self.seed is None:
            return torch.arange(rows)
        return torch.randperm(rows, generator=generator(self.seed, ORDER, self.epoch, window))


def joined(
    before: tuple[Tensor, Tensor] | None, samples: Tensor, targets: Tensor, places: Tensor
) -> tuple[Tensor, Tensor]:
    """Some of the samples and targets, after those before."""
    chosen = samples.index_select(0, places), targets.index_select(0, places)
    return chosen if before is None else (torch.cat([before[0], chosen[0]]), torch.cat([before[1], chosen[1]]))
