"""Answers ``POST /predict``."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any, NoReturn

import torch
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from PIL import Image
from starlette.requests import ClientDisconnect
from torch import Tensor

from litmlp.answers import answers_of, ink_of_task, outputs_of, samples_of
from litmlp.errors import Failure
from litmlp.mlp import MLP
from litmlp.pictures import FORMATS, read_picture
from litmlp.server.api import refuse
from litmlp.server.batching import Batcher
from litmlp.server.samples import SampleReader, numbers_in, pieces, place_of_samples

LARGEST_BODY = 8 * 2**20  # bytes: 64 samples of MNIST take 0.2 MB, a photo up to about 5 MB
SMALL_BODY = 64 * 2**10  # bytes of JSON that are parsed at once, which takes up to 5 ms
LARGE_PICTURE = 4_000_000  # pixels, which are unpacked in 0.1 s; 50 million take more than a second
ROWS = 256  # answers that are written at once


class Service:
    """Answers requests with one model, whatever they hold.

    What takes long is done in threads, and where that is possible in steps of milliseconds, so that requests with
    much to do don't hold up the others.

    Raises:
        Failure: if the model takes images of a task that isn't known here, or its classes don't fit its outputs.
    """

    def __init__(self, model: MLP) -> None:
        classes, outputs = model.settings.classes, model.settings.outputs
        if classes and not 2 <= len(classes) == outputs:
            raise Failure(f"the model has {outputs} outputs and {len(classes)} names of classes: it can't be served")
        self.model = model
        self.ink = ink_of_task(model)
        self.batcher = Batcher(lambda samples: outputs_of(model, samples))
        self.json = ThreadPoolExecutor(1, "json")
        self.pictures = ThreadPoolExecutor(2, "picture")
        self.large_pictures = ThreadPoolExecutor(1, "large-picture")

    async def predict(self, request: Request) -> Response:
        """Answer a sample, several, or a picture."""
        is_picture = self._check_headers(request)
        try:
            return await while_connected(request, self._answer(await read(request), is_picture))
        except Failure as failure:
            refuse(422, str(failure))
        except ClientDisconnect:
            refuse(400, "the connection has ended")

    def _check_headers(self, request: Request) -> bool:
        """Whether the body is a picture; refuses what is neither that nor JSON."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_picture = kind.startswith("image/") and self.ink is not None
        if kind != "application/json" and not is_picture:
            also = ", or image/png and the like" if self.ink is not None else ""
            refuse(415, f"the Content-Type must be application/json{also}")
        if request.headers.get("content-encoding", "identity") != "identity":
            refuse(415, "a compressed body isn't unpacked here: send it without Content-Encoding")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > LARGEST_BODY:
            refuse_size()
        return is_picture

    async def _answer(self, body: bytes, is_picture: bool) -> Response:
        if is_picture:
            samples = await self._read_picture(body)
        elif len(body) <= SMALL_BODY:
            samples = samples_of(self.model, numbers_in(body))
        else:
            samples = await self._read_samples(body)
        del body  # up to 8 MB, for as long as the network works
        outputs = torch.cat([await self.batcher.answer(part) for part in samples.split(self.batcher.most)])
        if len(outputs) > ROWS:
            answers_of(self.model, outputs[~outputs.isfinite().all(1)])  # refuses them before the answer begins
            return StreamingResponse(self._write(outputs), media_type="application/json")
        seen = {"seen": samples[0, 0].tolist()} if is_picture else {}
        return JSONResponse({"answers": answers_of(self.model, outputs), **seen})

    async def _read_picture(self, content: bytes) -> Tensor:
        """The sample (1, *sample_shape) of a picture's file."""
        assert self.ink is not None
        ink, shape = self.ink, self.model.sample_shape
        run = asyncio.get_running_loop().run_in_executor
        is_large = await run(self.pictures, pixels, content) > LARGE_PICTURE
        threads = self.large_pictures if is_large else self.pictures
        sample = await run(threads, lambda: ink.sample(read_picture(content), shape))
        return sample.unsqueeze(0)

    async def _read_samples(self, body: bytes) -> Tensor:
        """The samples (batch, *sample_shape) of a large body."""
        start, end, several = place_of_samples(body)
        reader = SampleReader(self.model.sample_shape, partial(samples_of, self.model))
        for piece in pieces(body, start, end):
            await asyncio.get_running_loop().run_in_executor(self.json, reader.read, piece)
        return reader.end(several)

    async def _write(self, outputs: Tensor) -> AsyncIterator[str]:
        """The answers to outputs (batch, outputs) as JSON, step by step."""
        yield '{"answers":['
        for number, rows in enumerate(outputs.split(ROWS)):
            answers = await asyncio.get_running_loop().run_in_executor(self.json, self._in_json, rows)
            yield f",{answers}" if number else answers
        yield "]}"

    def _in_json(self, outputs: Tensor) -> str:
        return json.dumps(answers_of(self.model, outputs), ensure_ascii=False, separators=(",", ":"))[1:-1]


async def read(request: Request) -> bytes:
    """The body. How long it may take is the connection's matter.

    Raises:
        ClientDisconnect: if the connection ends.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            refuse_size()
    return bytes(body)


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
    """The pixels of the picture in a file, without unpacking it; 0 if there is none."""
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            return picture.width * picture.height
    except Exception:  # whatever a broken or hostile file makes of Pillow: read_picture says what is wrong
        return 0


def refuse_size() -> NoReturn:
    """Refuse a body that is too large."""
    refuse(413, f"the body is larger than {LARGEST_BODY:,} bytes")
