"""What the server says in which form: the schemas of its OpenAPI description."""

from typing import Any, Literal, NoReturn

from fastapi import HTTPException
from pydantic import BaseModel

from litmlp.model.columns import ColumnKind, TableForm
from litmlp.model.spec import Kind, Spec


class Answer(BaseModel):
    """The answer to one sample: of a classification everything but ``values``, of a regression only these."""

    label: str | None = None
    probability: float | None = None
    runner_up: str | None = None
    runner_up_probability: float | None = None
    probabilities: list[float] | None = None
    values: list[float] | None = None


class Answers(BaseModel):
    """The answers in the order of the samples.

    Attributes:
        target: of a table the column that is predicted.
        seen: of an image what the network saw of it, row by row.
    """

    target: str | None = None
    answers: list[Answer]
    seen: list[list[Any]] | None = None


class Refusal(BaseModel):
    """Why a request isn't answered, in one sentence."""

    detail: str


class Health(BaseModel):
    """Whether the server answers."""

    status: Literal["ok"]


class ColumnCard(BaseModel):
    """A column of a table, in values that a row may have: dates are ISO 8601.

    Attributes:
        form: how texts are read: numbers such as 1,234.5, or a date's strptime format.
        categories: those that the network distinguishes.
        low: the smallest value in training, of a number or a date.
        high: the largest.
        typical: the median, or the most frequent category.
    """

    name: str
    kind: ColumnKind
    form: str
    categories: list[str] | None = None
    low: float | str | None = None
    high: float | str | None = None
    typical: float | str | None = None


class ModelCard(BaseModel):
    """What is served.

    Attributes:
        input: what the page asks for.
        white: the largest value of an image.
        stroke: the width of a stroke, as a fraction of a drawing's longer side.
        columns: of a table's row.
        target: the column that is predicted.
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
    columns: list[ColumnCard] | None
    target: str | None


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body isn't JSON"},
    408: {"model": Refusal, "description": "The request didn't arrive in time, or had to make room for others"},
    413: {"model": Refusal, "description": "The body is too large"},
    415: {"model": Refusal, "description": "The body is of a type that isn't read here"},
    422: {"model": Refusal, "description": "The samples, the rows or the image can't be used"},
}


def predict_body(spec: Spec) -> dict[str, Any]:
    """The OpenAPI description of what ``POST /predict`` takes."""
    name, one = ("sample", sample_schema(spec)) if spec.table is None else ("row", row_schema(spec.table))
    schemas = [body_schema(name, one), body_schema(f"{name}s", {"type": "array", "items": one, "minItems": 1})]
    content: dict[str, Any] = {"application/json": {"schema": {"oneOf": schemas}}}
    if spec.image is not None:
        content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")}
    return {"required": True, "content": content}


def body_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a body that has this one value."""
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def sample_schema(spec: Spec) -> dict[str, Any]:
    """The schema of a sample: numbers in lists."""
    sample: dict[str, Any] = {"type": "number"}
    if spec.image is not None:
        sample |= {"minimum": 0, "maximum": spec.image.white}
    for length in reversed(spec.sample_shape):
        sample = {"type": "array", "items": sample, "minItems": length, "maxItems": length}
    return sample


def row_schema(table: TableForm) -> dict[str, Any]:
    """The schema of a row. What isn't known is null; whatever else there is in it is ignored."""
    types = {"number": ["number", "string", "null"], "date": ["string", "null"]}
    anything = ["string", "number", "boolean", "null"]
    columns = {column.name: {"type": types.get(column.kind, anything)} for column in table.columns}
    return {"title": "Row", "type": "object", "properties": columns, "required": list(columns)}


def refuse(status: int, why: str) -> NoReturn:
    """Refuse a request, with one sentence."""
    headers = {"Connection": "close"} if status in (413, 415) else None  # the rest of the body isn't read
    raise HTTPException(status, why, headers)
