"""Reads the JSON of many samples in small steps, so that the largest body doesn't hold up other requests."""

import json
import re
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NoReturn

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.server.api import refuse

PIECE = 32 * 2**10  # bytes of text in a step, which takes about 2 ms
SPACE = b" \t\n\r"
DIGITS_TO_ZERO = bytes.maketrans(b"123456789+-.eE", b"0" * 14)
BODY_WITH_TEXTS = 2 * 2**10  # bytes: numpy pads all texts to the length of the longest, to 2 MB at most
FORM = 'the body must be {"sample": …} or {"samples": [ … ]}'


def opening_of(name: str) -> re.Pattern[bytes]:
    """How a body begins that holds one value under this name, or several in a list under its plural."""
    text = r'~\{~"NAME(?:"~:|(?P<several>s)"~:~\[)'
    return re.compile(text.replace("~", r"[ \t\n\r]*+").replace("NAME", name).encode())


OPENING = opening_of("sample")


def numbers_in(body: bytes) -> Any:
    """The samples in a small body, as nested lists of what may not be numbers.

    Raises:
        Failure: if there are none.
        HTTPException: if the body isn't JSON.
    """
    content = loads(body)
    if not isinstance(content, dict) or content.keys() not in ({"sample"}, {"samples"}):
        raise Failure(FORM)
    if len(body) > BODY_WITH_TEXTS and body.count(b'"') > 2:
        raise Failure("the samples hold something that isn't a number of ordinary size")
    return content["samples"] if "samples" in content else [content["sample"]]


def loads(text: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        Failure: if it holds NaN or Infinity, which Python reads and JSON doesn't have.
        HTTPException: if it isn't JSON.
    """
    try:
        return json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError):
        refuse(400, "the body isn't JSON")


def no_number(constant: str) -> NoReturn:
    """Refuse one of Python's constants."""
    raise Failure(f"the samples hold {constant}, which is no number")


class SampleReader:
    """Turns the text of samples into tensors, piece by piece.

    ``json.loads`` would read the text in one call, during which no other Python code runs, and could make 100 bytes
    of objects of every byte. Samples have one structure only, though: the same nested lists over and over. So each
    piece is compared with that structure before its numbers are read.

    Args:
        shape: shape of a sample; an image's only channel may be left out.
        convert: gives raw samples (batch, *shape) of an array of numbers (batch, *shape), or without the channel.
    """

    def __init__(self, shape: tuple[int, ...], convert: Callable[[Any], Tensor]) -> None:
        self.shape = shape
        self.short = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
        self.convert = convert
        self.outline = b""  # of one sample, and the comma after it
        self.place = 0  # in the outline
        self.numbers: list[float] = []  # of the samples that haven't been converted
        self.samples: list[Tensor] = []

    def read(self, piece: bytes) -> None:
        """Read the next piece of the text, see :func:`pieces`.

        Raises:
            Failure: if it isn't numbers in lists of the right shape, or the numbers can't be raw samples.
            HTTPException: if a number isn't JSON.
        """
        found = outline(piece) + b","
        if not self.outline:
            if not found.startswith(b"[" * len(self.shape)):
                self.shape = self.short
            self.outline = outline_of_shape(self.shape) + b","
        repeats = (self.place + len(found)) // len(self.outline) + 1
        if not (self.outline * repeats).startswith(found, self.place):
            self._refuse()
        self.place = (self.place + len(found)) % len(self.outline)
        self.numbers += loads(b"[" + piece.translate(None, b"[]") + b"]")
        size = prod(self.shape)
        complete = len(self.numbers) // size * size
        if complete:
            self.samples.append(self.convert(numpy.array(self.numbers[:complete]).reshape(-1, *self.shape)))
            del self.numbers[:complete]

    def end(self, several: bool) -> Tensor:
        """All samples (batch, *shape).

        Raises:
            Failure: if the last one isn't complete, or there is more than one unless there may be several.
        """
        samples = torch.cat(self.samples)
        if self.place or (len(samples) > 1 and not several):
            self._refuse()
        return samples

    def _refuse(self) -> NoReturn:
        raise Failure(f"each sample must be nothing but numbers in lists, of shape {list(self.short)}")


def place_of_samples(body: bytes) -> tuple[int, int, bool]:
    """Where the text of the samples, with commas between them, begins and ends, and whether there may be several.

    Raises:
        Failure: if the body doesn't begin or end as it must.
    """
    opening = OPENING.match(body)
    if opening is None:
        raise Failure(FORM)
    several, end = opening["several"] is not None, len(body)
    for bracket in b"}]" if several else b"}":
        end = len(body[:end].rstrip(SPACE)) - 1
        if end < opening.end() or body[end] != bracket:
            raise Failure(FORM)
    return opening.end(), end, several


def pieces(body: bytes, start: int, end: int) -> Iterator[bytes]:
    """The text of the samples in pieces of at least ``PIECE`` bytes, cut at commas, which are left out."""
    while start <= end:
        comma = body.find(b",", start + PIECE, end)
        stop = end if comma < 0 else comma
        yield body[start:stop]
        start = stop + 1


def outline(text: bytes) -> bytes:
    """The text without white space, and with a 0 in place of each number: ``[[0,0],[0,0]]``."""
    text = text.translate(DIGITS_TO_ZERO, SPACE)
    while b"00" in text:
        text = text.replace(b"00", b"0")
    return text


def outline_of_shape(shape: tuple[int, ...]) -> bytes:
    """The outline of a sample."""
    text = b"0"
    for length in reversed(shape):
        text = b"[" + b",".join([text] * length) + b"]"
    return text
