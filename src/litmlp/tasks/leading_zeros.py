"""Whether a CSV file has numbers that begin with zeros, as postal codes do: they are text, and reading hides it."""

from collections.abc import Sequence
from typing import Any

import numpy

from litmlp.inference.sources import Source

BLOCK = 2**17  # bytes that are looked at together: as many as stay in a core's cache


def have_leading_zeros(sources: Sequence[Source]) -> bool:
    """Whether a field of CSV files that aren't packed begins with a zero and another digit, maybe after a sign.

    Raises:
        OSError: if one can't be read.
    """
    return any(has_leading_zeros(source) for source in sources)


def has_leading_zeros(source: Source) -> bool:
    """Whether a file has a field like 007, or what looks like one within a field of text."""
    assert source.dialect is not None
    before_field = numpy.zeros(256, bool)  # by the byte
    before_field[[*b" \t\r\n", *source.dialect.delimiter.encode(), *source.dialect.quote.encode()]] = True
    memory = bytearray(b"\n\n") + bytearray(BLOCK)
    with source.path.open("rb", buffering=0) as file:
        kept = 2  # bytes of the block before
        while count := file.readinto(memoryview(memory)[kept:]):
            if zeros_in(numpy.frombuffer(memory, numpy.uint8, kept + count), before_field):
                return True
            memory[:3] = memory[kept + count - 3 : kept + count]
            kept = 3
    return False


def zeros_in(text: Any, before_field: Any) -> bool:
    """Whether there are leading zeros in bytes (n,), of which the first two are only looked back at."""
    is_digit = text - numpy.uint8(ord("0")) < 10  # a byte below wraps around
    found = text[1:-1] == ord("0")
    found &= is_digit[2:]
    found &= text[:-2] != ord(".")
    found &= ~is_digit[:-2]
    places = numpy.flatnonzero(found) + 1
    places = places[places >= 2]
    signed = (text[places - 1] == ord("-")) | (text[places - 1] == ord("+"))
    return bool(before_field[text[places - 1 - signed]].any())
