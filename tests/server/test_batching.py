"""Concurrent requests are answered together, and each gets its own answer."""

import asyncio
import threading

import pytest
import torch
from torch import Tensor

from litmlp.server.batching import Batcher


class Network:
    """Doubles samples, once the gate is open, and keeps the sizes of its batches."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[int] = []

    def __call__(self, samples: Tensor) -> Tensor:
        self.batches.append(len(samples))
        self.entered.set()
        assert self.gate.wait(30)
        if bool((samples < 0).any()):
            raise ValueError("a bug")
        return samples * 2


async def until(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, 30)


def test_those_that_wait_become_one_batch_up_to_the_most() -> None:
    network = Network()

    async def ask() -> list[Tensor]:
        batcher = Batcher(network, most=8)
        first = asyncio.create_task(batcher.answer(torch.tensor([[1.0]])))
        await until(network.entered)
        sizes = (2, 3, 3, 1, 20, 1)
        others = [asyncio.create_task(batcher.answer(torch.full((size, 1), float(size)))) for size in sizes]
        gone = asyncio.create_task(batcher.answer(torch.zeros(1, 1)))
        await asyncio.sleep(0)
        gone.cancel()
        network.gate.set()
        answers = [await first, *[await other for other in others]]
        assert [answer.flatten().tolist() for answer in answers[1:]] == [[2.0 * size] * size for size in sizes]
        with pytest.raises(asyncio.CancelledError):
            await gone
        return answers

    assert asyncio.run(ask())[0].tolist() == [[2.0]]
    assert network.batches == [1, 8, 1, 20, 2]


def test_a_bug_reaches_those_in_its_batch_and_the_next_are_answered() -> None:
    network = Network()
    network.gate.set()

    async def ask() -> Tensor:
        batcher = Batcher(network)
        with pytest.raises(ValueError, match="^a bug$"):
            await batcher.answer(torch.tensor([[-1.0]]))
        return await batcher.answer(torch.tensor([[4.0]]))

    assert asyncio.run(ask()).tolist() == [[8.0]]
