"""Answers ``POST /predict``."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from torch import Tensor

from litmlp.answers import answers_of, ink_of_task, outputs_of, samples_of
from litmlp.errors import Failure
from litmlp.mlp import MLP
from litmlp.pictures import read_picture
from litmlp.server.batching import Batcher

LARGEST_BODY = 8 * 2**20  # bytes: 64 samples of MNIST take 0.2 MB, a photo up to about 5 MB
SMALL_BODY = 64 * 2**10  # up to here a body is read and parsed at once; of larger ones only some at a time
LARGE_BODIES = 16
SECONDS_FOR_A_BODY = 30


class Service:
    """Answers requests with one model, whatever they hold.

    Raises:
        Failure: if the model takes images of a task that isn't known here.
    """

    def __init__(self, model: MLP) -> None:
        self.model = model
        self.ink = ink_of_task(model)
        self.batcher = Batcher(lambda samples: outputs_of(model, samples))
        self.parsers = ThreadPoolExecutor(2, "parser")  # what takes long to parse doesn't hold up the others
        self.large_bodies = asyncio.Semaphore(LARGE_BODIES)

    async def predict(self, request: Request) -> Response:
        """Answer a sample, several, or a picture."""
        is_picture = self._check_headers(request)
        try:
            samples = await self._read_samples(request, is_picture)
            answers = answers_of(self.model, await self.batcher.answer(samples))
        except Failure as failure:
            refuse(422, str(failure))
        except TimeoutError:
            refuse(408, f"the body didn't arrive within {SECONDS_FOR_A_BODY} seconds")
        except ClientDisconnect:
            refuse(400, "the connection ended within the body")
        seen = {"seen": samples[0, 0].tolist()} if is_picture else {}
        return JSONResponse({"answers": answers, **seen})

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

    async def _read_samples(self, request: Request, is_picture: bool) -> Tensor:
        """The raw samples (batch, *sample_shape) in the body."""
        chunks, body = request.stream(), bytearray()
        await read(chunks, body, SMALL_BODY)
        if len(body) <= SMALL_BODY and not is_picture:
            return self._parse_json(body)
        async with self.large_bodies:
            await read(chunks, body, LARGEST_BODY)
            if len(body) > LARGEST_BODY:
                refuse_size()
            parse = self._parse_picture if is_picture else self._parse_json
            return await asyncio.get_running_loop().run_in_executor(self.parsers, parse, body)

    def _parse_picture(self, body: bytearray) -> Tensor:
        assert self.ink is not None
        return self.ink.sample(read_picture(bytes(body)), self.model.sample_shape).unsqueeze(0)

    def _parse_json(self, body: bytearray) -> Tensor:
        try:
            content = json.loads(body, parse_constant=no_number)
        except (ValueError, RecursionError):
            refuse(400, "the body isn't JSON")
        if not isinstance(content, dict) or content.keys() not in ({"sample"}, {"samples"}):
            refuse(422, 'the body must be {"sample": …} or {"samples": [ … ]}')
        return samples_of(self.model, content["samples"] if "samples" in content else [content["sample"]])


async def read(chunks: AsyncIterator[bytes], body: bytearray, limit: int) -> None:
    """Read on until the end, or until the body is larger than the limit.

    Raises:
        TimeoutError: if that takes longer than ``SECONDS_FOR_A_BODY``.
        ClientDisconnect: if the connection ends.
    """
    async with asyncio.timeout(SECONDS_FOR_A_BODY):
        while len(body) <= limit:
            chunk = await anext(chunks, None)
            if chunk is None:
                return
            body += chunk


def refuse(status: int, why: str) -> NoReturn:
    """Refuse a request, with one sentence."""
    headers = {"Connection": "close"} if status in (408, 413, 415) else None  # the rest of the body isn't read
    raise HTTPException(status, why, headers)


def refuse_size() -> NoReturn:
    """Refuse a body that is too large."""
    refuse(413, f"the body is larger than {LARGEST_BODY:,} bytes")


def no_number(constant: str) -> Any:
    """Refuse NaN and Infinity, which Python reads and JSON doesn't have."""
    raise Failure(f"the samples hold {constant}, which is no number")
