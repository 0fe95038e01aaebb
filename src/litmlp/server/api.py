"""What the server says in which form: the schemas of its OpenAPI description."""

from typing import Any, Literal, NoReturn

from fastapi import HTTPException
from pydantic import BaseModel

from litmlp.model.spec import ImageForm, Kind


class Answer(BaseModel):
    """The answer to one sample: of a classification everything but ``values``, of a regression only these."""

    label: str | None = None
    probability: float | None = None
    runner_up: str | None = None
    runner_up_probability: float | None = None
    probabilities: list[float] | None = None
    values: list[float] | None = None


class Answers(BaseModel):
    """The answers in the order of the samples; for an image also what the network saw of it, row by row."""

    answers: list[Answer]
    seen: list[list[Any]] | None = None


class Refusal(BaseModel):
    """Why a request isn't answered, in one sentence."""

    detail: str


class Health(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"]


class ModelCard(BaseModel):
    """What is served.

    Attributes:
        input: what the page asks for.
        white: the largest value of an image.
        stroke: the width of a stroke, as a fraction of a drawing's longer side.
    """

    task: str
    classes: list[str] | None
    sample_shape: list[int]
    outputs: int
    hidden: list[int]
    conv: list[int]
    parameters: int
    checkpoint: str
    weights_sha256: str
    litmlp_version: str
    input: Kind
    white: float | None
    stroke: float | None


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body isn't JSON"},
    408: {"model": Refusal, "description": "The request didn't arrive in time, or had to make room for others"},
    413: {"model": Refusal, "description": "The body is too large"},
    415: {"model": Refusal, "description": "The body is of a type that isn't read here"},
    422: {"model": Refusal, "description": "The samples or the image can't be used"},
}


def predict_body(shape: tuple[int, ...], form: ImageForm | None) -> dict[str, Any]:
    """The OpenAPI description of what ``POST /predict`` takes."""
    sample: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": form.white} if form else {"type": "number"}
    for length in reversed(shape):
        sample = {"type": "array", "items": sample, "minItems": length, "maxItems": length}
    one = {"type": "object", "properties": {"sample": sample}, "required": ["sample"], "additionalProperties": False}
    several = {"type": "array", "items": sample, "minItems": 1}
    many = {
        "type": "object",
        "properties": {"samples": several},
        "required": ["samples"],
        "additionalProperties": False,
    }
    content: dict[str, Any] = {"application/json": {"schema": {"oneOf": [one, many]}}}
    if form is not None:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")}
    return {"required": True, "content": content}


def refuse(status: int, why: str) -> NoReturn:
    """Refuse a request, with one sentence."""
    headers = {"Connection": "close"} if status in (413, 415) else None  # the rest of the body isn't read
    raise HTTPException(status, why, headers)
