"""Reads the JSON of a table's rows in small steps, so that the largest body doesn't hold up other requests."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.rows import row_from
from litmlp.model.columns import TableForm
from litmlp.server.api import refuse
from litmlp.server.samples import opening_of

MOST_ROWS = 10_000
LONGEST_ROW = 128 * 2**10  # bytes; the values of a thousand columns take about 30 kB
PIECE = 16 * 2**10  # characters of text in a step, which takes a few milliseconds
FORM = 'the body must be {"row": {column: value, …}} or {"rows": [ … ]}'
NO_JSON = "the body isn't JSON"
OPENING = opening_of("row")
SPACE = re.compile(r"[ \t\n\r]*+")
END_OF_ONE, END_OF_SEVERAL = re.compile(rb"\}[ \t\n\r]*+"), re.compile(rb"[ \t\n\r]*+\][ \t\n\r]*+\}[ \t\n\r]*+")


def steps_of(table: TableForm, body: bytes) -> Iterator[Tensor]:
    """The rows in a body, step by step: tensors (rows of a step, columns), as a network takes them.

    ``json.loads`` would read them in one call, during which no other Python code runs, and could make 20 bytes of
    objects of every byte. So each row is decoded by itself, in a window that moves along the text.

    Raises:
        Failure: if the body is of another form, or a row can't be one of the table.
        HTTPException: if it isn't JSON, a row is too large, or there are too many.
    """
    opening = OPENING.match(body)
    if opening is None:
        refuse_form(body)
    several, start, number, is_last = opening["several"] is not None, opening.end(), 0, False
    end = END_OF_SEVERAL if several else END_OF_ONE
    if several and end.fullmatch(body, start):
        raise Failure("the rows must be a list of at least one")
    while not is_last:
        text, is_whole = window(body, start)
        rows, place = [], 0
        while place < PIECE and not is_last:
            if number == MOST_ROWS:
                refuse(413, f"there are more than {MOST_ROWS:,} rows: send them in several requests")
            row, place = decode(text, place, is_whole, number)
            rows.append(row_from(table, row, number))
            number += 1
            is_last = not (several and text.startswith(",", place))
            place += not is_last
        start += len(text[:place].encode())
        yield torch.tensor(rows, dtype=torch.float32)
    if not end.fullmatch(body, start):
        refuse_form(body)


def window(body: bytes, start: int) -> tuple[str, bool]:
    """The text from a byte on: a step, and a row that begins within it. And whether it reaches the body's end."""
    part = body[start : start + 4 * PIECE + LONGEST_ROW]
    is_whole = start + len(part) == len(body)
    try:
        return codecs.utf_8_decode(part, "strict", is_whole)[0], is_whole
    except UnicodeDecodeError:
        refuse(400, NO_JSON)


def decode(text: str, place: int, is_whole: bool, number: int) -> tuple[Any, int]:
    """The row at a place in the text, and the place after it and the white space there."""
    try:
        row, place = DECODER.raw_decode(text, after_space(text, place))
    except (ValueError, RecursionError):
        refuse(400, NO_JSON if is_whole else f"row {number} isn't JSON, or is larger than {LONGEST_ROW:,} bytes")
    return row, after_space(text, place)


def after_space(text: str, place: int) -> int:
    """The place after the white space at a place."""
    return SPACE.match(text, place).end()  # type: ignore[union-attr]


def no_number(constant: str) -> NoReturn:
    """Refuse one of Python's constants, which JSON doesn't have."""
    raise Failure(f"the rows hold {constant}, which is no number: give null for what isn't known")


DECODER = json.JSONDecoder(parse_constant=no_number)


def refuse_form(body: bytes) -> NoReturn:
    """Refuse a body that is of another form. Whether it is JSON at all is only looked at in a small one."""
    if len(body) <= LONGEST_ROW:
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            refuse(400, NO_JSON)
    raise Failure(FORM)
