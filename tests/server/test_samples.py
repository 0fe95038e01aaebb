"""Large JSON is read in small steps, with the same result as in one."""

import json
import random
from dataclasses import replace
from functools import partial

import pytest
import torch
from fastapi import HTTPException
from torch import Tensor

from litmlp import ImageForm, Spec
from litmlp.errors import Failure
from litmlp.inference.samples import samples_from
from litmlp.server import samples
from litmlp.server.samples import SampleReader, numbers_in, pieces, place_of_samples
from tests.conftest import spec_of

SIZE = 8 * 2**20
FAULTS = [b"", b"[", b"]", b",", b" ", b"-", b"e1", b".", b"7"]


def in_steps(spec: Spec, body: bytes) -> Tensor | None:
    """The samples in a body, or none if it is refused."""
    try:
        start, end, several = place_of_samples(body)
        reader = SampleReader(spec.sample_shape, partial(samples_from, spec))
        for piece in pieces(body, start, end):
            reader.read(piece)
        return reader.end(several)
    except (Failure, HTTPException):
        return None


def at_once(spec: Spec, body: bytes) -> Tensor | None:
    try:
        return samples_from(spec, numbers_in(body))
    except (Failure, HTTPException):
        return None


def test_a_body_in_steps_is_what_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "PIECE", 5)
    draw = random.Random(3)
    specs = [spec_of(2, outputs=1, regression=True)]
    specs += [replace(spec_of(*shape), image=ImageForm(white=16)) for shape in ((1, 2, 3), (3, 2, 1))]
    accepted = 0
    for _ in range(6000):
        spec = draw.choice(specs)
        shape = spec.sample_shape[1:] if spec.sample_shape[0] == 1 and draw.random() < 0.5 else spec.sample_shape
        numbers = torch.randint(0, 17, (draw.randrange(1, 4), *shape)).div(draw.choice([1, 4])).tolist()
        content = {"samples": numbers} if draw.random() < 0.7 else {"sample": numbers[0]}
        body = bytearray(json.dumps(content, indent=draw.choice([None, 1])).encode())
        for _ in range(draw.choice([0, 0, 1, 1, 2])):
            place = draw.randrange(len(body))
            body[place : place + draw.randrange(2)] = draw.choice(FAULTS)
        expected, found = at_once(spec, bytes(body)), in_steps(spec, bytes(body))
        assert (found is None) == (expected is None), body
        if found is not None and expected is not None:
            assert torch.equal(found, expected), body
            accepted += 1
    assert 2000 < accepted < 5000


def repeated(text: bytes) -> bytes:
    """A body of the largest size with nothing but this as samples."""
    return b'{"samples":[' + b",".join([text] * ((SIZE - 14) // (len(text) + 1))) + b"]}"


BODIES = {
    "lists": repeated(b"[]"),
    "ragged": repeated(b"[[],[[]]]"),
    "objects": repeated(b"{}"),
    "texts": repeated(b'""'),
    "numbers": repeated(b"0"),
    "integers": repeated(b"[[" + b"],[".join([b"0,0,0,0,0,0,0,0"] * 8) + b"]]"),
    "floats": repeated(b"[[" + b"],[".join([b"1.25,1e-1,0,0,0,0,0,16"] * 8) + b"]]"),
    "opening": b'{"sample":' + b"[" * (SIZE - 10),
    "closing": b'{"samples":[' + b"]" * (SIZE - 12),
    "commas": b'{"samples":[' + b"," * (SIZE - 14) + b"]}",
    "spaces": b'{"samples":[' + b" " * (SIZE - 14) + b"]}",
    "digits": b'{"sample":' + b"1" * (SIZE - 11) + b"}",
    "text": b'{"sample":"' + b"a" * (SIZE - 13) + b'"}',
    "nothing": b" " * SIZE,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_step_ends_at_the_first_comma_after_its_share(body: bytes) -> None:
    assert len(body) <= SIZE
    try:
        start, end, _ = place_of_samples(body)
    except (Failure, HTTPException):  # refused before any step
        return
    steps = list(pieces(body, start, end))
    assert b",".join(steps) == body[start:end]
    assert not any(b"," in step[samples.PIECE :] for step in steps)


def test_texts_are_refused_before_numpy_pads_them() -> None:
    body = json.dumps({"samples": ["a" * 30_000, *["b"] * 5_000]}).encode()
    with pytest.raises(Failure, match="^the samples hold something that isn't a number of ordinary size$"):
        numbers_in(body)
