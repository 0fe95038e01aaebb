"""Over real sockets: what a client can ask, and that nothing it sends stops the server or makes it fail."""

import http.client
import json
import random
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch

from litmlp import Network, Settings, load
from litmlp.inference.drawings import to_drawing
from litmlp.inference.images import to_values
from litmlp.tasks import TASKS
from tests.conftest import drawn, spec_of

JSON = "application/json"


def ask(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """The status and the answer, which must be JSON."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def predict(url: str, content: Any) -> tuple[int, Any]:
    return ask(url, "POST", "/predict", json.dumps(content).encode(), Content_Type=JSON)


def png(**options: Any) -> bytes:
    file = BytesIO()
    drawn([[(0.5, 0.1), (0.5, 0.9)]], **options).save(file, "PNG")
    return file.getvalue()


def test_what_is_served(digits_url: str, digits: Path) -> None:
    assert ask(digits_url, "GET", "/health") == (200, {"status": "ok"})
    status, card = ask(digits_url, "GET", "/model")
    parameters = sum(parameter.numel() for parameter in load(digits).parameters())
    expected = {
        "task": "digits",
        "classes": [*"0123456789"],
        "sample_shape": [1, 8, 8],
        "hidden": [256, 128],
        "parameters": parameters,
        "checkpoint": "some.ckpt",
        "input": "drawing",
        "white": 16,
    }
    assert status == 200
    assert {name: card[name] for name in expected} == expected


def test_one_sample_many_and_a_picture_get_what_the_network_says(digits_url: str, digits: Path) -> None:
    network, (samples, _) = load(digits), TASKS["digits"]().split("test")
    with torch.inference_mode():
        probabilities = network(samples).softmax(1)
    status, content = predict(digits_url, {"samples": samples.tolist()})
    assert status == 200
    served = torch.tensor([answer["probabilities"] for answer in content["answers"]])
    assert torch.allclose(served, probabilities, atol=2e-6)
    labels = [int(answer["label"]) for answer in content["answers"]]
    assert labels == probabilities.argmax(1).tolist()
    assert predict(digits_url, {"sample": samples[7].tolist()})[1]["answers"][0]["label"] == str(labels[7])
    assert predict(digits_url, {"sample": samples[7, 0].tolist()})[1]["answers"][0]["label"] == str(labels[7])
    status, content = ask(digits_url, "POST", "/predict", png(), Content_Type="image/png")
    form = TASKS["digits"].image
    assert form is not None
    seen = to_values(to_drawing(drawn([[(0.5, 0.1), (0.5, 0.9)]]), form, (1, 8, 8)), form)
    assert (status, content["seen"]) == (200, seen[0].tolist())


def test_concurrent_clients_get_their_own_answers(digits_url: str) -> None:
    samples, _ = TASKS["digits"]().split("test")
    expected = [answer["label"] for answer in predict(digits_url, {"samples": samples[:40].tolist()})[1]["answers"]]
    found: dict[int, str] = {}

    def client(first: int) -> None:
        for index in range(first, 40, 8):
            found[index] = predict(digits_url, {"sample": samples[index].tolist()})[1]["answers"][0]["label"]

    threads = [threading.Thread(target=client, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index] for index in range(40)] == expected


def test_a_regression(serve: Callable[[Network], str]) -> None:
    url = serve(Network(Settings(spec_of(2, outputs=1, regression=True), hidden=())).eval())
    status, content = predict(url, {"samples": [[0.1, 0.2], [0.5, 0.5]]})
    assert status == 200
    assert [list(answer) for answer in content["answers"]] == [["values"], ["values"]]
    refusal = {"detail": "the Content-Type must be application/json"}
    assert ask(url, "POST", "/predict", png(), Content_Type="image/png") == (415, refusal)
    assert predict(url, {"sample": [3e38, 1]})[0] == 422


ZEROS = [[0] * 8] * 8
SHAPES = "it must be ['n', 8, 8], with n at least 1"
LARGE = "each sample must be nothing but numbers in lists, of shape [8, 8]"
RANGE = "they must be from 0 to 16, black to white"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, b"", "the body isn't JSON"),
        (400, b"{", "the body isn't JSON"),
        (400, b"\xff\xfe\xfa", "the body isn't JSON"),
        (400, b"[" * 60_000, "the body isn't JSON"),
        (400, b"1" * 6000, "the body isn't JSON"),
        (422, b"[]", 'the body must be {"sample": …} or {"samples": [ … ]}'),
        (422, b'{"sample": 1, "samples": 2}', 'the body must be {"sample": …} or {"samples": [ … ]}'),
        (422, b'{"sample": NaN}', "the samples hold NaN, which is no number"),
        (422, b'{"sample": -Infinity}', "the samples hold -Infinity, which is no number"),
        (422, b'{"samples": []}', f"the samples have shape [0]: {SHAPES}"),
        (422, b'{"samples": null}', f"the samples have shape []: {SHAPES}"),
        (422, b'{"sample": "\\ud800"}', f"the samples have shape [1]: {SHAPES}"),
        (422, b'{"sample": {"0": 1}}', f"the samples have shape [1]: {SHAPES}"),
        (422, b'{"sample": [[1, 2], [3]]}', "the samples are of different shapes: each must have shape [8, 8]"),
        (422, {"sample": [[True] * 8] * 8}, "the samples hold something that isn't a number of ordinary size"),
        (422, {"sample": [["1"] * 8] * 8}, "the samples hold something that isn't a number of ordinary size"),
        (422, {"sample": [[10**400] * 8] * 8}, "the samples hold something that isn't a number of ordinary size"),
        (422, {"sample": [[17, *[0] * 7], *ZEROS[1:]]}, f"the samples hold the number 17.0: {RANGE}"),
        (422, {"sample": [[-1, *[0] * 7], *ZEROS[1:]]}, f"the samples hold the number -1.0: {RANGE}"),
        (422, {"sample": [[1e300, *[0] * 7], *ZEROS[1:]]}, f"the samples hold the number 1e+300: {RANGE}"),
        (
            422,
            {"samples": ["a" * 30_000, *["b"] * 5_000]},
            "the samples hold something that isn't a number of ordinary size",
        ),
        (422, b"[" * 70_000, 'the body must be {"sample": …} or {"samples": [ … ]}'),
        (422, {"samples": [[]] * 20_000}, LARGE),
        (422, {"samples": [*[ZEROS] * 400, [[True] * 8] * 8]}, LARGE),
        (422, {"samples": [*[ZEROS] * 400, ZEROS[1:]]}, LARGE),
        (422, {"samples": [*[ZEROS] * 400, [[17] * 8] * 8]}, f"the samples hold the number 17.0: {RANGE}"),
        (
            422,
            {"samples": [*[ZEROS] * 400, [[10**400] * 8] * 8]},
            "the samples hold something that isn't a number of ordinary size",
        ),
        (400, json.dumps({"samples": [ZEROS] * 400}).encode().replace(b"0", b"01", 1), "the body isn't JSON"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(digits_url: str, status: int, body: Any, sentence: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert ask(digits_url, "POST", "/predict", content, Content_Type=JSON) == (status, {"detail": sentence})


def test_wrong_headers_paths_and_sizes(digits_url: str) -> None:
    kinds = {"detail": "the Content-Type must be application/json, or image/png and the like"}
    assert ask(digits_url, "POST", "/predict", b"{}") == (415, kinds)
    assert ask(digits_url, "POST", "/predict", b"{}", Content_Type="text/plain") == (415, kinds)
    packed = ask(digits_url, "POST", "/predict", b"x", Content_Type=JSON, Content_Encoding="gzip")
    assert packed == (415, {"detail": "a compressed body isn't unpacked here: send it without Content-Encoding"})
    assert ask(digits_url, "GET", "/predict") == (405, {"detail": "this path is for POST only"})
    assert ask(digits_url, "GET", "/../../etc/passwd") == (404, {"detail": "there is nothing at this path: see /docs"})
    foreign = {"detail": "the server doesn't answer under this Host name"}
    assert ask(digits_url, "GET", "/model", Host="evil.example") == (421, foreign)
    assert ask(digits_url, "GET", "/model", Host="localhost:1")[0] == 200
    too_large = {"detail": "the body is larger than 8,388,608 bytes"}
    address = (urlsplit(digits_url).hostname, urlsplit(digits_url).port)
    with socket.create_connection(address, timeout=30) as told, told.makefile("rb") as response:
        told.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        told.sendall(b"Content-Length: 99999999999\r\n\r\n")
        assert json.loads(response.read().partition(b"\r\n\r\n")[2]) == too_large
    with closing(http.client.HTTPConnection(urlsplit(digits_url).netloc, timeout=30)) as connection:
        chunks = [b" " * 2**20] * 8 + [b" "]
        connection.request("POST", "/predict", iter(chunks), {"Content-Type": JSON}, encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == too_large


def test_a_page_elsewhere_gets_no_permission(digits_url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(digits_url).netloc, timeout=30)
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", "/predict"), ("GET", "/model"), ("GET", "/")):
        connection.request(method, path, headers=asked)
        response = connection.getresponse()
        response.read()
        assert response.getheader("Access-Control-Allow-Origin") is None
        assert "default-src 'self'" in (response.getheader("Content-Security-Policy") or "")
        assert response.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    connection.close()


def test_a_thousand_malformed_requests_leave_it_serving(digits_url: str) -> None:
    draw = random.Random(5)
    good = json.dumps({"sample": ZEROS}).encode()
    picture = png(side=60, width=8)
    statuses: dict[int, int] = {}
    connection = http.client.HTTPConnection(urlsplit(digits_url).netloc, timeout=30)
    for _ in range(1000):
        kind = draw.choice([JSON, JSON, "image/png", "image/jpeg", "text/plain", "", "image/svg+xml"])
        body = bytearray(picture if kind.startswith("image") else good)
        for _ in range(draw.randrange(6)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        cut = bytes(body[draw.randrange(3) : len(body) - draw.choice([0, 0, 1, draw.randrange(len(body))])])
        path = draw.choice(["/predict", "/predict", "/predict", "/", "/x%00", "/model?%ff", "//", "/openapi.json"])
        method = draw.choice(["POST", "POST", "POST", "PUT", "GET", "DELETE", "HEAD", "PATCH"])
        connection.request(method, path, cut, {"Content-Type": kind})
        response = connection.getresponse()
        content = response.read()
        statuses[response.status] = statuses.get(response.status, 0) + 1
        if 400 <= response.status < 500 and method != "HEAD":
            assert list(json.loads(content)) == ["detail"]
    connection.close()
    assert set(statuses) == {200, 400, 404, 405, 415, 422}
    assert ask(digits_url, "GET", "/health") == (200, {"status": "ok"})


def test_bytes_that_are_no_http_leave_it_serving(digits_url: str) -> None:
    draw = random.Random(6)
    address = (urlsplit(digits_url).hostname, urlsplit(digits_url).port)
    for _ in range(100):
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(b"POST /predict HTTP/1.1\r\n" * draw.randrange(2) + draw.randbytes(draw.randrange(1, 300)))
    assert ask(digits_url, "GET", "/health") == (200, {"status": "ok"})


def test_openapi_describes_the_samples_and_all_refusals(digits_url: str) -> None:
    operation = ask(digits_url, "GET", "/openapi.json")[1]["paths"]["/predict"]["post"]
    assert list(operation["responses"]) == ["200", "400", "408", "413", "415", "422"]
    one, many = operation["requestBody"]["content"][JSON]["schema"]["oneOf"]
    number = {"type": "number", "minimum": 0, "maximum": 16}
    row = {"type": "array", "items": number, "minItems": 8, "maxItems": 8}
    image = {"type": "array", "items": row, "minItems": 8, "maxItems": 8}
    sample = {"type": "array", "items": image, "minItems": 1, "maxItems": 1}
    assert one["properties"] == {"sample": sample}
    assert many["properties"]["samples"] == {"type": "array", "items": sample, "minItems": 1}
