"""Answers the samples of concurrent requests together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor


class Batcher:
    """Lets the network answer all waiting requests at once.

    A request on its own is answered at once. While the network works, in a thread of its own, others gather, and
    become the next batch. So there is no time to wait that would have to be tuned, and the busier the server, the
    larger the batches.

    Args:
        network: gives outputs (batch, outputs) of samples (batch, *sample_shape).
        most: samples in a batch; a single request with more is a batch of its own.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], most: int = 256) -> None:
        self.network = network
        self.most = most
        self.thread = ThreadPoolExecutor(1, "network")
        self.waiting: list[tuple[Tensor, asyncio.Future[Tensor]]] = []
        self.work: asyncio.Task[None] | None = None

    async def answer(self, samples: Tensor) -> Tensor:
        """The outputs (batch, outputs) of one request's samples (batch, *sample_shape)."""
        future: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        self.waiting.append((samples, future))
        if self.work is None or self.work.done():
            self.work = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self.waiting:
            requests = self._next_batch()
            samples = torch.cat([samples for samples, _ in requests])  # (batch, *sample_shape)
            try:
                outputs = await asyncio.get_running_loop().run_in_executor(self.thread, self.network, samples)
            except Exception as error:  # a bug: each of the requests shall report it
                for _, future in requests:
                    if not future.done():
                        future.set_exception(error)
                continue
            for part, (_, future) in zip(outputs.split([len(one) for one, _ in requests]), requests, strict=True):
                if not future.done():  # a client may have gone
                    future.set_result(part)

    def _next_batch(self) -> list[tuple[Tensor, asyncio.Future[Tensor]]]:
        """As many waiting requests as fit into a batch, the longest waiting first; at least one."""
        total, count = 0, 0
        for samples, _ in self.waiting:
            total += len(samples)
            if count and total > self.most:
                break
            count += 1
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        return batch
