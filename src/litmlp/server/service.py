"""Answers ``POST /predict``."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

import torch
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.images import open_image, sample_from_image
from litmlp.inference.predictions import outputs_of, predictions_from
from litmlp.inference.samples import samples_from
from litmlp.model.columns import TableForm
from litmlp.model.network import Network
from litmlp.server.api import refuse
from litmlp.server.batching import Batcher
from litmlp.server.rows import steps_of
from litmlp.server.samples import SampleReader, numbers_in, pieces, place_of_samples

LARGEST_BODY = 8 * 2**20  # bytes: 64 samples of MNIST take 0.2 MB, a photo up to about 5 MB
SMALL_BODY = 64 * 2**10  # bytes of JSON that are parsed at once, which takes up to 5 ms
LARGE_IMAGE = 4_000_000  # pixels, which are unpacked in 0.1 s; 50 million take more than a second
ROWS = 256  # answers that are written at once
AT_ONCE = 256  # samples that the network answers in one go, by each of its members: others wait for it


class Service:
    """Answers requests with one network, whatever they hold.

    What takes long is done in threads, and where that is possible in steps of milliseconds, so that requests with
    much to do don't hold up the others.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.takes_images = network.spec.image is not None
        self.table = network.spec.table
        self.target = {} if self.table is None else {"target": self.table.target}
        most = max(1, AT_ONCE // network.settings.members)
        self.batcher = Batcher(lambda samples: outputs_of(network, samples), most)
        self.json = ThreadPoolExecutor(1, "json")
        self.images = ThreadPoolExecutor(2, "image")
        self.large_images = ThreadPoolExecutor(1, "large-image")

    async def predict(self, request: Request) -> Response:
        """Answer samples, rows of a table, or an image."""
        is_image = self._check_headers(request)
        try:
            return await while_connected(request, self._answer(await read(request), is_image))
        except Failure as failure:
            refuse(422, str(failure))
        except ClientDisconnect:
            refuse(400, "the connection has ended")

    def _check_headers(self, request: Request) -> bool:
        """Whether the body is an image; refuses what is neither that nor JSON."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_image = kind.startswith("image/") and self.takes_images
        if kind != "application/json" and not is_image:
            also = ", or image/png and the like" if self.takes_images else ""
            refuse(415, f"the Content-Type must be application/json{also}")
        if request.headers.get("content-encoding", "identity") != "identity":
            refuse(415, "a compressed body isn't unpacked here: send it without Content-Encoding")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > LARGEST_BODY:
            refuse_size()
        return is_image

    async def _answer(self, body: bytes, is_image: bool) -> Response:
        if is_image:
            samples = await self._read_image(body)
        elif self.table is not None:
            samples = await self._read_rows(self.table, body)
        elif len(body) <= SMALL_BODY:
            samples = samples_from(self.network.spec, numbers_in(body))
        else:
            samples = await self._read_samples(body)
        del body  # up to 8 MB, for as long as the network works
        outputs = torch.cat([await self.batcher.answer(part) for part in samples.split(self.batcher.most)])
        if len(outputs) > ROWS:
            predictions_from(self.network, outputs[~outputs.isfinite().all(1)])  # refuses them before the answer begins
            return StreamingResponse(self._write(outputs), media_type="application/json")
        seen = {"seen": seen_by_the_network(samples[0])} if is_image else {}
        return JSONResponse({**self.target, "answers": predictions_from(self.network, outputs), **seen})

    async def _read_image(self, content: bytes) -> Tensor:
        """The sample (1, *sample_shape) of an image's file."""
        run = asyncio.get_running_loop().run_in_executor
        is_large = await run(self.images, pixels, content) > LARGE_IMAGE
        threads = self.large_images if is_large else self.images
        sample = await run(threads, sample_from_image, self.network.spec, content)
        return sample.unsqueeze(0)

    async def _read_samples(self, body: bytes) -> Tensor:
        """The samples (batch, *sample_shape) of a large body."""
        start, end, several = place_of_samples(body)
        reader = SampleReader(self.network.spec.sample_shape, partial(samples_from, self.network.spec))
        for piece in pieces(body, start, end):
            await asyncio.get_running_loop().run_in_executor(self.json, reader.read, piece)
        return reader.end(several)

    async def _read_rows(self, table: TableForm, body: bytes) -> Tensor:
        """The rows (batch, columns) of a table in a body."""
        steps = steps_of(table, body)
        parts = []
        while (part := await asyncio.get_running_loop().run_in_executor(self.json, next, steps, None)) is not None:
            parts.append(part)
        return torch.cat(parts)

    async def _write(self, outputs: Tensor) -> AsyncIterator[str]:
        """The answers to outputs (batch, outputs) as JSON, step by step."""
        yield json.dumps({**self.target, "answers": []})[:-2]
        for number, rows in enumerate(outputs.split(ROWS)):
            answers = await asyncio.get_running_loop().run_in_executor(self.json, self._in_json, rows)
            yield f",{answers}" if number else answers
        yield "]}"

    def _in_json(self, outputs: Tensor) -> str:
        return json.dumps(predictions_from(self.network, outputs), ensure_ascii=False, separators=(",", ":"))[1:-1]


def seen_by_the_network(sample: Tensor) -> list[Any]:
    """An image (channels, height, width) row by row: [height][width] levels, or of colour [height][width][3]."""
    rows: list[Any] = (sample[0] if len(sample) == 1 else sample.movedim(0, -1)).tolist()
    return rows


async def read(request: Request) -> bytes:
    """The body. How long it may take is the connection's matter.

    Raises:
        ClientDisconnect: if the connection ends.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BODY:
            refuse_size()
    return b"".join(chunks)


async def while_connected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The work's result. If the client goes, the work is given up, so that nothing is held for it any longer.

    Raises:
        ClientDisconnect: if the client goes.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # the body has been read: only http.disconnect can come
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


def pixels(content: bytes) -> int:
    """The pixels of the image in a file, without unpacking it; 0 if there is none."""
    try:
        with open_image(content) as image:
            return image.width * image.height
    except Failure:  # sample_from_image says it again, to the client
        return 0


def refuse_size() -> NoReturn:
    """Refuse a body that is too large."""
    refuse(413, f"the body is larger than {LARGEST_BODY:,} bytes")
