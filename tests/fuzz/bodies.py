"""Random bodies of requests: samples, rows, pictures, JSON of any structure, and what is none of these."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.images import picture
from tests.fuzz.tables import VALUES
from tests.fuzz.values import NUMBERS, Values

# The shape of a sample of each run's server, without channels.
SHAPES: dict[str, tuple[int, ...]] = {"digits/digits": (8, 8), "log_value/value": (2,), "xor/base": (2,)}
TABLE = "table/rows"  # the run whose server takes the rows of TABLE_CSV
TABLE_CSV = "number,word,day,y\n" + "".join(
    f"{n},{'uvw'[n % 3]},2024-0{n % 9 + 1}-01,{'no' if n % 2 else 'yes'}\n" for n in range(60)
)
# JSON that is deep, wide or long, given a number.
NESTED: tuple[Callable[[int], bytes], ...] = (
    lambda much: b"[" * much,
    lambda much: b'{"sample":' * much,
    lambda much: b'{"sample": ' + b"[" * 900 + b"]" * 900 + b"}",
    lambda much: b'{"samples": [' + b"[]," * much + b"[]]}",
    lambda much: b'{"samples": [' + b"[[0]]," * much + b"[]]}",
    lambda much: b'{"samples": [' + b"0," * much + b"0]}",
    lambda much: b'{"sample": ' + b"9" * much + b"}",
    lambda much: b'{"sample": [1e' + b"9" * 30 + b"]}",
    lambda much: b'{"sample": [NaN, Infinity, -Infinity]}',
    lambda much: b'{"sample": [1], "sample": [2]}',
    lambda much: b'{"sample": "' + b"\\ud800" * (much // 10) + b'"}',
    lambda much: b'{"' + b"a" * much + b'": 1}',
    lambda much: b"{" + b",".join(b'"%d": 1' % number for number in range(much // 10)) + b"}",
)


def samples(random: Random, run_name: str) -> bytes:
    """Samples, most of them possible."""
    wild = random.random() < 0.3
    if run_name == TABLE:
        return rows(random, wild)
    batch = [sample(random, SHAPES[run_name], wild) for _ in range(random.choice((1, 1, 2, 64)))]
    return json.dumps({"sample": batch[0]} if random.random() < 0.5 else {"samples": batch}).encode()


def rows(random: Random, wild: bool) -> bytes:
    """Rows of the table, most of them possible."""
    batch = [row(random, wild) for _ in range(random.choice((1, 1, 2, 64, 600)))]
    return json.dumps({"row": batch[0]} if random.random() < 0.5 else {"rows": batch}).encode()


def row(random: Random, wild: bool) -> Any:
    """A row as a mapping, in a wild request some of whose values may be anything."""
    found = {"number": random.choice((0, 7.5, "12", None)), "word": random.choice("uvwx"), "day": "2024-05-06"}
    for name in list(found):
        if wild and random.random() < 0.05:
            found[name] = random.choice((random.choice(VALUES), random.choice(NUMBERS), Values(random, 1.0).anything()))
        if wild and random.random() < 0.05:
            del found[name]
    return found if not wild or random.random() < 0.95 else Values(random, 1.0).anything()


def sample(random: Random, shape: tuple[int, ...], wild: bool) -> Any:
    """A sample as nested lists."""
    if not shape:
        return random.choice(NUMBERS) if wild and random.random() < 0.1 else random.choice((0, 1, 7.5, 16))
    length = shape[0] + (random.choice((-1, 1)) if wild and random.random() < 0.1 else 0)
    return [sample(random, shape[1:], wild) for _ in range(length)]


def structure(random: Random, run_name: str) -> bytes:
    """JSON of any structure, in some encoding."""
    value = Values(random, 1.0).anything()
    one = name_of_one(run_name)
    content = random.choice((value, {one: value}, {f"{one}s": [value]}, {f"{one}s": value}))
    text = json.dumps(content, ensure_ascii=random.random() < 0.5)
    encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-32-be", "utf-8-sig"))
    return text.encode(encoding, "surrogatepass")


def nested(random: Random, run_name: str) -> bytes:
    """JSON that is deep, wide or long."""
    much = 1_000_000 if random.random() < 0.02 else random.choice((100, 10_000, 60_000))
    return random.choice(NESTED)(much).replace(b'"sample', f'"{name_of_one(run_name)}'.encode())


def pictured(random: Random, run_name: str) -> bytes:
    """A picture."""
    return picture(random)


def garbage(random: Random, run_name: str) -> bytes:
    """Anything."""
    return random.randbytes(random.choice((1, 100, 70_000)))


def nothing(random: Random, run_name: str) -> bytes:
    """No body."""
    return b""


def name_of_one(run_name: str) -> str:
    """What a server calls one of what it answers."""
    return "row" if run_name == TABLE else "sample"


BODIES = (samples, samples, structure, structure, nested, pictured, garbage, nothing)
