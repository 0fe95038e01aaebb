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

from litmlp.errors import Failure
from litmlp.inference.images import sample_from_image
from litmlp.inference.predictions import outputs_of, predictions_from
from litmlp.inference.samples import samples_from
from litmlp.model.network import Network
from litmlp.server.batching import Batcher

LARGEST_BODY = 8 * 2**20  # bytes: 64 samples of MNIST take 0.2 MB, a photo up to about 5 MB
SMALL_BODY = 64 * 2**10  # up to here a body is read and parsed at once; of larger ones only some at a time
LARGE_BODIES = 16
SECONDS_FOR_A_BODY = 30


class Service:
    """Answers requests with one network, whatever they hold."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.takes_images = network.spec.image is not None
        self.batcher = Batcher(lambda samples: outputs_of(network, samples))
        self.parsers = ThreadPoolExecutor(2, "parser")  # what takes long to parse doesn't hold up the others
        self.large_bodies = asyncio.Semaphore(LARGE_BODIES)

    async def predict(self, request: Request) -> Response:
        """Answer a sample, several, or an image."""
        is_image = self._check_headers(request)
        try:
            samples = await self._read_samples(request, is_image)
            answers = predictions_from(self.network, await self.batcher.answer(samples))
        except Failure as failure:
            refuse(422, str(failure))
        except TimeoutError:
            refuse(408, f"the body didn't arrive within {SECONDS_FOR_A_BODY} seconds")
        except ClientDisconnect:
            refuse(400, "the connection ended within the body")
        seen = {"seen": seen_by_the_network(samples[0])} if is_image else {}
        return JSONResponse({"answers": answers, **seen})

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

    async def _read_samples(self, request: Request, is_image: bool) -> Tensor:
        """The raw samples (batch, *sample_shape) in the body."""
        chunks, body = request.stream(), bytearray()
        await read(chunks, body, SMALL_BODY)
        if len(body) <= SMALL_BODY and not is_image:
            return self._parse_json(body)
        async with self.large_bodies:
            await read(chunks, body, LARGEST_BODY)
            if len(body) > LARGEST_BODY:
                refuse_size()
            parse = self._parse_image if is_image else self._parse_json
            return await asyncio.get_running_loop().run_in_executor(self.parsers, parse, body)

    def _parse_image(self, body: bytearray) -> Tensor:
        return sample_from_image(self.network.spec, bytes(body)).unsqueeze(0)

    def _parse_json(self, body: bytearray) -> Tensor:
        try:
            content = json.loads(body, parse_constant=no_number)
        except (ValueError, RecursionError):
            refuse(400, "the body isn't JSON")
        if not isinstance(content, dict) or content.keys() not in ({"sample"}, {"samples"}):
            refuse(422, 'the body must be {"sample": …} or {"samples": [ … ]}')
        return samples_from(self.network.spec, content["samples"] if "samples" in content else [content["sample"]])


def seen_by_the_network(sample: Tensor) -> list[Any]:
    """An image (channels, height, width) row by row: [height][width] levels, or of colour [height][width][3]."""
    rows: list[Any] = (sample[0] if len(sample) == 1 else sample.movedim(0, -1)).tolist()
    return rows


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
