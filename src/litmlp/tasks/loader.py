"""Batches gathered by index from tensors in memory: no per-sample Python work, and exact to resume."""

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

import torch
from torch import Tensor

from litmlp.randomness import epoch_order


class Batch(NamedTuple):
    """What the loader yields and the model's steps receive.

    Attributes:
        samples: (batch, *sample_shape), in the dtype they are stored in.
        targets: (batch,) class indices, or (batch, outputs) numbers.
        weight: factor of the batch's mean loss in the step's gradient. It is 1 unless several processes share
            a last batch that doesn't divide evenly; then it makes the average of their gradients the gradient
            of the mean over all samples of the step.
    """

    samples: Tensor
    targets: Tensor
    weight: float = 1.0


class BatchLoader:
    """Iterates over one process's share of ``samples`` and ``targets``.

    Training (``seed`` given): step k of an epoch takes the samples k·B … (k+1)·B - 1 of the epoch's order, with
    B = ``batch_size`` · ``world_size``; process r gets every ``world_size``-th of them, from the r-th on. The
    last step takes what is left. So every sample is visited once an epoch, and two processes with batch 16 make
    the same steps as one with batch 32. If fewer samples are left than there are processes, those that would
    get none repeat one with weight 0, since every process has to take part in every step.

    Evaluation (``seed`` None): the stored order, each sample on exactly one process.

    It is its own ``sampler``, because that is where the Trainer looks for ``set_epoch``, and it saves how many
    batches of the epoch it has yielded, so that a resumed epoch continues at the next one.
    """

    batch_sampler = None  # The Trainer asks for this attribute.

    def __init__(
        self,
        samples: Tensor,
        targets: Tensor,
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.samples = samples  # (all samples, *sample_shape)
        self.targets = targets  # (all samples,) or (all samples, outputs)
        self.step_size = batch_size * world_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = samples.device
        self.sampler = self
        self.epoch = 0
        self.batches_done = 0  # of the iteration under way
        self.first_batch = 0  # of the next iteration

    def __len__(self) -> int:
        return math.ceil(len(self.samples) / self.step_size)

    def to(self, device: torch.device) -> Self:
        """Yield batches on a device from now on.

        The samples and targets move there, and batches are gathered there, unless they would take more than half of
        the device's free memory. Then they stay where they are, and each batch is copied.
        """
        self.device = device
        if fits(self.samples.nbytes + self.targets.nbytes, device):
            self.samples, self.targets = self.samples.to(device), self.targets.to(device)
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration. The Trainer calls it after ``iter``, before the first ``next``."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """How far the current iteration is, for a checkpoint."""
        return {"batches_done": self.batches_done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next iteration begin after the batches that the saved one had yielded."""
        self.first_batch = state["batches_done"]

    def __iter__(self) -> Iterator[Batch]:
        if self.seed is None:
            yield from self._evaluation_batches()
            return
        self.batches_done, self.first_batch = self.first_batch, 0
        for samples, targets, weight in self._training_steps(self.batches_done):
            self.batches_done += 1
            yield self._on_device(samples, targets, weight)

    def _training_steps(self, first: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        """This process's samples and targets of the epoch's steps from ``first`` on, and the weight of each."""
        assert self.seed is not None
        order = copied(epoch_order(len(self.samples), self.seed, self.epoch), self.samples.device)  # (all samples,)
        for start in range(first * self.step_size, len(order), self.step_size):
            own, weight = self._share(order[start : start + self.step_size])
            yield self.samples.index_select(0, own), self.targets.index_select(0, own), weight

    def _share(self, step: Tensor) -> tuple[Tensor, float]:
        """What this process gets of a step (samples of the step, …), and its weight."""
        own = step[self.rank :: self.world_size]  # (batch, …)
        weight = len(own) * self.world_size / len(step)
        return own if len(own) else step[:1], weight

    def _evaluation_batches(self) -> Iterator[Batch]:
        for start in range(0, len(self.samples), self.step_size):
            own = slice(start + self.rank, start + self.step_size, self.world_size)
            yield self._on_device(self.samples[own], self.targets[own])

    def _on_device(self, samples: Tensor, targets: Tensor, weight: float = 1.0) -> Batch:
        if samples.device != self.device:
            samples, targets = copied(samples, self.device), copied(targets, self.device)
        return Batch(samples, targets, weight)


def copied(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU's tensor on a device, without waiting until a CUDA device has finished the work before."""
    return tensor.to(device, non_blocking=device.type == "cuda")


def fits(size: int, device: torch.device) -> bool:
    """Whether data of that many bytes leave at least half of a device's free memory to all else.

    Only CUDA says how much that is, besides MPS, which shares the machine's own memory.
    """
    if device.type != "cuda" or not torch.cuda.is_available():
        return True
    return size <= torch.cuda.mem_get_info(device)[0] // 2
