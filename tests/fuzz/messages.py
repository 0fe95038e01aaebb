"""Random HTTP requests, as bytes."""

from random import Random
from typing import NamedTuple

from tests.fuzz.bodies import BODIES
from tests.fuzz.mutations import mutated_bytes

METHODS = (
    "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PRI", "get", "X", "", "G" * 9_000,
    "P\x00ST",
)  # fmt: skip
OURS = (
    "/", "/predict", "/health", "/model", "/docs", "/openapi.json", "/page.js", "/style.css", "/predict?x=1",
    "/nothing",
)  # fmt: skip
PATHS = (
    "//predict", "/predict/", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page.js%00", "/%ff%fe", "/\xe9", "*",
    "", "/" + "a" * 70_000, "predict", "http://127.0.0.1/health", "http://elsewhere.example/health", "https://[::1/",
    "/#x", "/%", "/?" + "&" * 3_000, "/a b", "/\t",
)  # fmt: skip
VERSIONS = ("HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/9.9", "HTTP/1.1.1", "ICY", "", "HTTP/1.1 x")
HARMLESS = (
    "Accept: */*", "Origin: http://elsewhere.example", "Range: bytes=0-1", "Accept-Encoding: gzip, br",
    "Cookie: a=b; a=b", "X-Forwarded-For: 1.2.3.4", "Authorization: Basic x", "If-None-Match: *",
    "If-Modified-Since: never", "X: \xe9\xff", "Forwarded: for=x;host=elsewhere.example", "Connection: keep-alive",
    "X-HTTP-Method-Override: PUT", "X: " + "x" * 5_000,
)  # fmt: skip
HOSTILE = (
    "Content-Length: -1", "Content-Length: " + "9" * 30, "Content-Length: 5, 5", "Content-Length: +5",
    "Content-Length: 0x10", "Content-Length:", "Content-Length: \xb2", "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "X Y: y", "Transfer-Encoding: x", "Expect: 100-continue", "Expect: x",
    "Upgrade: websocket", "Connection: Upgrade, HTTP2-Settings", "Content-Encoding: gzip", "Content-Encoding: \xe9",
    "X: " + "a" * 200_000, "Host: elsewhere.example", "Host: [::1", ": y", "Host: 127.0.0.1:x:y", "Host: \xe9", "Host:",
    "X\0: y", "X: a\rb", "X: a\n b", "X: \0", "X", "Content-Type: image/png", "Content-Type: \xe9",
    "Content-Type: " + ";" * 5_000,
)  # fmt: skip


class Message(NamedTuple):
    """A request.

    Attributes:
        content: what is sent.
        method: what it asks for.
        whole: whether it is well-formed, so that there has to be an answer.
        stays: whether its head breaks off, and the client waits.
    """

    content: bytes
    method: str
    whole: bool
    stays: bool = False


def make(random: Random, run_name: str) -> Message:
    """A request to the server of a run; six of ten are well-formed."""
    body = random.choice(BODIES)(random, run_name)
    start = ["POST", "/predict"] if body or random.random() < 0.2 else ["GET", random.choice(OURS)]
    kind = "application/json" if body[:1] in (b"{", b"[", b"") else "image/png"
    is_chunked = random.random() < 0.1
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
    lines = ["Host: 127.0.0.1", f"Content-Type: {kind}", length]
    lines += [random.choice(HARMLESS)] if random.random() < 0.3 else []
    start.append("HTTP/1.1")
    damage, method, times = random.random(), start[0], 1
    if damage < 0.3:
        spoil(random, start, lines)
        times = random.choice((1, 1, 1, 3))
    head = "\r\n".join([" ".join(start), *lines, "", ""]).encode("latin-1")
    content = (head + (chunked(random, body) if is_chunked else body)) * times
    if random.random() < 0.03:
        return Message(head[: random.randrange(len(head) - 2)], method, whole=False, stays=True)
    return Message(mutated_bytes(random, content) if damage > 0.9 else content, method, 0.3 <= damage <= 0.9)


def spoil(random: Random, start: list[str], lines: list[str]) -> None:
    """Make a request's first line, or its headers, wrong."""
    match random.randrange(4):
        case 0:
            place, choices = random.choice(((0, METHODS), (1, PATHS), (2, VERSIONS)))
            start[place] = random.choice(choices)
        case 1:
            lines.insert(random.randrange(len(lines) + 1), random.choice(HOSTILE))
        case 2:
            del lines[random.randrange(len(lines))]
        case 3:
            lines += [f"X{number}: {'y' * 10}" for number in range(random.choice((50, 5_000)))]


def chunked(random: Random, body: bytes) -> bytes:
    """A body in HTTP's chunks."""
    size = random.choice((1, 100, 50_000)) if len(body) < 1_000 else 50_000
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
