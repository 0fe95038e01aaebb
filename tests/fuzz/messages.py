"""Random HTTP requests, as bytes."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from tests.fuzz.images import picture
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.values import NUMBERS, Values

METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PRI", "get", "X", "", "G" * 9_000, "P\x00ST")
PATHS = (
    "/", "/predict", "/predict/", "/predict?x=1", "//predict", "/health", "/model", "/docs", "/openapi.json", "/page.js", "/style.css",
    "/nothing", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page.js%00", "/%ff%fe", "/\xe9", "/" + "a" * 70_000, "*", "", "predict",
    "http://127.0.0.1/health", "http://elsewhere.example/health", "https://[::1/", "/#x", "/?" + "&" * 3_000, "/%", "/a b", "/\t",
)  # fmt: skip
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/9.9", "HTTP/1.1.1", "ICY", "", "HTTP/1.1 x")
TYPES = ("application/json", "image/png", "image/jpeg", "image/x", "text/plain", "multipart/form-data; boundary=x", "", "application/json; charset=utf-16")
HARMLESS = (
    ("Accept", "*/*"), ("Origin", "http://elsewhere.example"), ("Range", "bytes=0-1"), ("Accept-Encoding", "gzip, br"), ("Cookie", "a=b; a=b"),
    ("X-Forwarded-For", "1.2.3.4"), ("Authorization", "Basic x"), ("If-None-Match", "*"), ("If-Modified-Since", "never"), ("X", "\xe9\xff"),
    ("Forwarded", "for=x;host=elsewhere.example"), ("Connection", "keep-alive"), ("X-HTTP-Method-Override", "PUT"), ("Accept", "x" * 5_000),
)  # fmt: skip
HOSTILE = (
    ("Content-Length", "-1"), ("Content-Length", "9" * 30), ("Content-Length", "5, 5"), ("Content-Length", "+5"), ("Content-Length", "0x10"),
    ("Content-Length", ""), ("Content-Length", "\xb2"), ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "gzip, chunked"),
    ("Transfer-Encoding", "x"), ("Expect", "100-continue"), ("Expect", "x"), ("Upgrade", "websocket"), ("Connection", "Upgrade, HTTP2-Settings"),
    ("Content-Encoding", "gzip"), ("Content-Encoding", "\xe9"), ("X", "a" * 200_000), ("Host", "elsewhere.example"), ("Host", "127.0.0.1:x:y"),
    ("Host", "[::1"), ("Host", "\xe9"), ("Host", ""), ("X\0", "y"), ("X Y", "y"), ("", "y"), ("X", "a\rb"), ("X", "a\n b"), ("X", "\0"),
    ("Content-Type", "image/png"), ("Content-Type", "\xe9"), ("Content-Type", ";" * 5_000),
)  # fmt: skip
SHAPES: dict[str, tuple[int, ...]] = {"digits/digits": (8, 8), "log_value/value": (1,), "xor/base": (2,)}


class Message(NamedTuple):
    """A request.

    Attributes:
        content: what is sent.
        method: what it asks for.
        whole: whether it is well-formed, so that there has to be an answer.
    """

    content: bytes
    method: str
    whole: bool


def make(random: Random, run_name: str) -> Message:
    """A request to the server of a run."""
    body = random.choice((samples, samples, structure, structure, nested, pictured, garbage, nothing))(random, SHAPES[run_name])
    method, path = ("POST", "/predict") if body or random.random() < 0.2 else ("GET", random.choice(PATHS[:12]))
    headers = [("Host", "127.0.0.1"), ("Content-Type", "image/png" if body[:1] not in (b"{", b"[", b"") else TYPES[0])]
    headers += [random.choice(HARMLESS)] if random.random() < 0.3 else []
    framed, whole = (chunked(random, body), True) if random.random() < 0.1 else (body, True)
    headers.append(("Transfer-Encoding", "chunked") if framed is not body else ("Content-Length", str(len(body))))
    version = "HTTP/1.1"
    if random.random() < 0.4:
        whole = False
        match random.randrange(6):
            case 0:
                method = random.choice(METHODS)
            case 1:
                path = random.choice(PATHS)
            case 2:
                version = random.choice(VERSIONS)
            case 3:
                headers.insert(random.randrange(len(headers) + 1), random.choice(HOSTILE))
            case 4:
                del headers[random.randrange(len(headers))]
            case 5:
                headers += [(f"X{number}", "y" * random.choice((0, 10))) for number in range(random.choice((50, 5_000)))]
    lines = [f"{method} {path} {version}", *(f"{name}: {value}" for name, value in headers), "", ""]
    content = "\r\n".join(lines).encode("latin-1") + framed
    if random.random() < 0.15:
        content, whole = mutated_bytes(random, content), False
    return Message(content * (1 if whole else random.choice((1, 1, 1, 3))), method, whole)


def samples(random: Random, shape: tuple[int, ...]) -> bytes:
    """Samples, most of them possible."""
    wild = random.random() < 0.3
    batch = [sample(random, shape, wild) for _ in range(random.choice((1, 1, 2, 64)))]
    return json.dumps({"sample": batch[0]} if random.random() < 0.5 else {"samples": batch}).encode()


def sample(random: Random, shape: tuple[int, ...], wild: bool) -> Any:
    """A sample as nested lists."""
    if not shape:
        return random.choice(NUMBERS) if wild and random.random() < 0.1 else random.choice((0, 1, 7.5, 16))
    length = shape[0] + (random.choice((-1, 1)) if wild and random.random() < 0.1 else 0)
    return [sample(random, shape[1:], wild) for _ in range(length)]


def structure(random: Random, shape: tuple[int, ...]) -> bytes:
    """JSON of any structure, in some encoding."""
    values = Values(random, 1.0)
    content = random.choice((values.anything(), {"sample": values.anything()}, {"samples": [values.anything()]}, {"samples": values.anything()}))
    text = json.dumps(content, ensure_ascii=random.random() < 0.5)
    return text.encode(random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "utf-32-be", "utf-8-sig")), "surrogatepass")


def nested(random: Random, shape: tuple[int, ...]) -> bytes:
    """JSON that is deep, wide or long."""
    much = random.choice((100, 10_000, 60_000))
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: b"[" * much, lambda: b'{"sample":' * much, lambda: b'{"sample": ' + b"[" * 900 + b"]" * 900 + b"}",
        lambda: b'{"samples": [' + b"[]," * much + b"[]]}", lambda: b'{"samples": [' + b"0," * much + b"0]}",
        lambda: b'{"sample": ' + b"9" * much + b"}", lambda: b'{"sample": [1e' + b"9" * 30 + b"]}", lambda: b'{"' + b"a" * much + b'": 1}',
        lambda: b'{"sample": "' + b"\\ud800" * much + b'"}', lambda: b'{"sample": [NaN, Infinity, -Infinity]}',
        lambda: b"{" + b",".join(b'"%d": 1' % number for number in range(much // 10)) + b"}", lambda: b'{"sample": [1], "sample": [2]}',
        lambda: b'{"samples": [' + b"[[0]]," * (much * (20 if much == 60_000 and random.random() < 0.05 else 1)) + b"[]]}",
    )  # fmt: skip
    return random.choice(kinds)()


def pictured(random: Random, shape: tuple[int, ...]) -> bytes:
    """A picture."""
    return picture(random)


def garbage(random: Random, shape: tuple[int, ...]) -> bytes:
    """Anything."""
    return random.randbytes(random.choice((1, 100, 70_000)))


def nothing(random: Random, shape: tuple[int, ...]) -> bytes:
    """No body."""
    return b""


def chunked(random: Random, body: bytes) -> bytes:
    """A body in HTTP's chunks."""
    size = random.choice((1, 100, 50_000)) if len(body) < 1_000 else 50_000
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
