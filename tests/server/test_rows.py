"""Rows of a table over real sockets: what comes back, in which form one asks, and what is refused."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fastapi import HTTPException
from torch import Tensor

from litmlp import Network, Settings, load
from litmlp.errors import Failure
from litmlp.inference.rows import rows_from
from litmlp.model.columns import Column, TableForm
from litmlp.runs import Run
from litmlp.server import rows
from litmlp.server.card import column_card
from litmlp.server.rows import LONGEST_ROW, MOST_ROWS, PIECE, steps_of
from tests.conftest import spec_of
from tests.server.test_app import JSON, ask, predict

FLAT = {"area": 52.5, "floor": 3, "quarter": "Nord", "built": "2005-06-15"}
FORM = 'the body must be {"row": {column: value, …}} or {"rows": [ … ]}'
NULL = "give null for what isn't known"
NUMBER = "row 0: area is a number such as 70.5, but"
SIZE = 8 * 2**20


@pytest.fixture(scope="module")
def kind(flats: Callable[[str], Run]) -> Network:
    """A network that tells large flats from small ones."""
    return load(flats("kind").best)


@pytest.fixture(scope="module")
def url(kind: Network, serve: Callable[[Network], str]) -> str:
    return serve(kind)


def table_of(network: Network) -> TableForm:
    table = network.spec.table
    assert table is not None
    return table


def expected(network: Network, content: list[dict[str, Any]]) -> list[list[float]]:
    """What the network says of rows."""
    with torch.inference_mode():
        outputs: list[list[float]] = network.probabilities(rows_from(table_of(network), content)).tolist()
    return outputs


def random_row(draw: random.Random) -> dict[str, Any]:
    """A row with values of any type that a column takes."""
    return {
        "area": draw.choice([draw.uniform(0, 200), str(draw.randrange(200)), None, "", "NA"]),
        "floor": draw.choice([draw.randrange(9), 1e3, " 2 ", None]),
        "quarter": draw.choice(["Nord", "Süd, am See", "🏠" * 9, True, 7, None]),
        "built": draw.choice(["1999-12-31", "2010-05-01T13:30", None]),
        "owner": draw.choice([[1, {"a": "}, {"}], "]", None]),
    }


@pytest.mark.parametrize("count", [1, 5, 256, 700])
def test_rows_get_what_the_network_says(url: str, kind: Network, count: int) -> None:
    draw = random.Random(count)
    content = [random_row(draw) for _ in range(count)]
    status, answered = predict(url, {"rows": content})
    assert (status, list(answered), answered["target"]) == (200, ["target", "answers"], "kind")
    shares = expected(kind, content)
    assert len(answered["answers"]) == count
    for answer, share in zip(answered["answers"], shares, strict=True):
        assert answer["probabilities"] == pytest.approx(share, abs=1e-6)
        assert answer["label"] == ["large", "small"][share[1] > share[0]]
    assert predict(url, {"row": content[0]})[1]["answers"][0]["probabilities"] == pytest.approx(shares[0], abs=1e-6)


def test_a_value_of_a_table(flats: Callable[[str], Run], serve: Callable[[Network], str]) -> None:
    network = load(flats("price").best)
    ((value,),) = expected(network, [FLAT])
    assert predict(serve(network), {"row": FLAT}) == (
        200,
        {"target": "price", "answers": [{"values": [pytest.approx(value, rel=1e-6)]}]},
    )


def test_what_counts_as_the_same(url: str) -> None:
    def shares(**values: Any) -> Any:
        return predict(url, {"row": {**FLAT, **values}})[1]["answers"][0]["probabilities"]

    assert shares(area="52.5", floor="3", built="2005-06-15T00:00") == shares()
    assert shares(price=1, name="}") == shares()
    assert shares(area=None) == shares(area="") == shares(area="NA") != shares()
    assert shares(quarter="elsewhere") == shares(quarter=False) == shares(quarter=12.5) != shares()
    assert shares(quarter="elsewhere") != shares(quarter=None)


def test_one_learns_the_columns(url: str, kind: Network) -> None:
    status, card = ask(url, "GET", "/model")
    assert (status, card["input"], card["target"], card["classes"]) == (200, "row", "kind", ["large", "small"])
    area, floor, quarter, built = card["columns"]
    by_name = {column.name: column for column in table_of(kind).columns}
    for column in (area, floor):
        found = by_name[column["name"]]
        shown = {"low": found.low, "high": found.high, "typical": found.typical}
        assert column == {"name": found.name, "kind": "number", "form": "", "categories": None, **shown}
    categories = ["Altstadt", "Nord", "Süd, am See"]
    assert quarter == {
        "name": "quarter",
        "kind": "category",
        "form": "",
        "categories": categories,
        "low": None,
        "high": None,
        "typical": categories[int(by_name["quarter"].typical)],
    }
    assert (built["kind"], built["form"]) == ("date", "%Y-%m-%d")
    ends = [{**FLAT, "built": built[name]} for name in ("low", "typical", "high")]
    days = rows_from(table_of(kind), ends)[:, 3].tolist()
    assert days == [by_name["built"].low, by_name["built"].typical, by_name["built"].high]


def test_values_of_a_column_are_short() -> None:
    size = column_card(Column("size", "number", low=39.099998474121094, high=16777216.0, typical=-1.5e-7))
    assert (size.low, size.high, size.typical) == (39.1, 16777216.0, -1.5e-7)
    when = column_card(Column("when", "date", "%d.%m.%Y %H:%M", low=-1e30, high=13514.5625, typical=13514.0))
    assert (when.low, when.high, when.typical) == ("0001-01-01", "2007-01-01T13:30", "2007-01-01")


def test_openapi_describes_the_rows(url: str) -> None:
    operation = ask(url, "GET", "/openapi.json")[1]["paths"]["/predict"]["post"]
    assert list(operation["requestBody"]["content"]) == [JSON]
    one, many = operation["requestBody"]["content"][JSON]["schema"]["oneOf"]
    row = one["properties"]["row"]
    assert row["required"] == ["area", "floor", "quarter", "built"]
    assert row["properties"]["floor"] == {"type": ["number", "string", "null"]}
    assert row["properties"]["quarter"] == {"type": ["string", "number", "boolean", "null"]}
    assert row["properties"]["built"] == {"type": ["string", "null"]}
    assert many["properties"]["rows"] == {"type": "array", "items": row, "minItems": 1}


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, b"", "the body isn't JSON"),
        (400, b'{"rows": [{"area"', "the body isn't JSON"),
        (400, b'{"row": ' + b"[" * 100_000, "the body isn't JSON"),
        (400, b'{"row": {"area": "\xff"}}', "the body isn't JSON"),
        (400, json.dumps({"row": FLAT}).encode() + b"}", "the body isn't JSON"),
        (422, b"[]", FORM),
        (422, {"sample": [1, 2, 3, 4]}, FORM),
        (422, {"samples": [[1, 2, 3, 4]]}, FORM),
        (422, {"rows": None}, FORM),
        (422, {"rows": [FLAT], "more": 1}, FORM),
        (422, {"row": FLAT, "rows": [FLAT]}, FORM),
        (422, b" " * 200_000, FORM),
        (422, {"rows": []}, "the rows must be a list of at least one"),
        (422, {"rows": [FLAT, 1]}, "row 1 must be a mapping of the columns' names to values"),
        (422, {"row": None}, "row 0 must be a mapping of the columns' names to values"),
        (422, {"rows": [FLAT, {"area": 3, "built": None}]}, f"row 1 lacks floor, quarter: {NULL}"),
        (422, {"row": {**FLAT, "area": [1]}}, "row 0: area must be a number, a text or null"),
        (422, {"row": {**FLAT, "area": "wide"}}, f"{NUMBER} 'wide' is none"),
        (422, {"row": {**FLAT, "area": True}}, f"{NUMBER} 'true' is none"),
        (422, b'{"row": {"area": 1e999, "floor": 1, "quarter": 1, "built": null}}', f"{NUMBER} 'inf' is none"),
        (
            422,
            {"rows": [*[FLAT] * 3000, {**FLAT, "built": "Monday"}]},
            "row 3000: built is a date, written as %Y-%m-%d, but 'Monday' is none",
        ),
        (422, {"row": {**FLAT, "area": float("nan")}}, f"the rows hold NaN, which is no number: {NULL}"),
        (413, {"rows": [FLAT] * (MOST_ROWS + 1)}, "there are more than 10,000 rows: send them in several requests"),
        (
            400,
            {"rows": [FLAT, {**FLAT, "owner": "x" * 200_000}, FLAT]},
            "row 1 isn't JSON, or is larger than 131,072 bytes",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(url: str, status: int, body: Any, sentence: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert ask(url, "POST", "/predict", content, Content_Type=JSON) == (status, {"detail": sentence})


def test_only_a_table_takes_rows(serve: Callable[[Network], str], url: str) -> None:
    numbers = serve(Network(Settings(spec_of(4), hidden=())).eval())
    assert predict(numbers, {"row": FLAT}) == (422, {"detail": 'the body must be {"sample": …} or {"samples": [ … ]}'})
    refusal = {"detail": "the Content-Type must be application/json"}
    assert ask(url, "POST", "/predict", b"x", Content_Type="image/png") == (415, refusal)


TABLE = TableForm((Column("a", "number"), Column("é", "category", categories=("x", "}, {"))), "y", ("NA",))
FAULTS = [b"", b"[", b"]", b",", b" ", b"}", b"{", b'"', b"7"]


def in_steps(body: bytes) -> Tensor | None:
    """The rows in a body, or none if it is refused."""
    try:
        return torch.cat(list(steps_of(TABLE, body)))
    except (Failure, HTTPException):
        return None


def at_once(body: bytes) -> Tensor | None:
    try:
        content = json.loads(body)
        if not isinstance(content, dict) or content.keys() not in ({"row"}, {"rows"}):
            return None
        return rows_from(TABLE, [content["row"]] if "row" in content else content["rows"])
    except (ValueError, Failure):
        return None


@pytest.mark.parametrize("piece", [1, 40, PIECE])
def test_a_body_in_steps_is_what_it_is_at_once(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(rows, "PIECE", piece)
    draw = random.Random(piece)
    accepted = 0
    for _ in range(2000):
        content = [
            {"a": draw.choice([1, -2.5e3, "7", None]), "é": draw.choice(["x", "}, {", 'ü\\"]', "🏠", None, False])}
            for _ in range(draw.randrange(1, 5))
        ]
        whole = {"rows": content} if draw.random() < 0.7 else {"row": content[0]}
        text = json.dumps(whole, indent=draw.choice([None, 1]), ensure_ascii=draw.choice([True, False]))
        body = bytearray(text.encode())
        for _ in range(draw.choice([0, 0, 1, 1, 2])):
            place = draw.randrange(len(body))
            body[place : place + draw.randrange(2)] = draw.choice(FAULTS)
        found, right = in_steps(bytes(body)), at_once(bytes(body))
        assert (found is None) == (right is None), body
        if found is not None and right is not None:
            assert torch.equal(found.nan_to_num(nan=-1), right.nan_to_num(nan=-1)), body
            accepted += 1
    assert 700 < accepted < 1700


def test_the_largest_body_is_read_in_small_steps() -> None:
    row = json.dumps({"a": 1.5, "é": "x", "note": "x" * 900}, ensure_ascii=False).encode()
    body = b'{"rows":[' + b",".join([row] * ((SIZE - 11) // (len(row) + 1))) + b"]}"
    assert 0.95 * SIZE < len(body) <= SIZE
    sizes = [len(step) for step in steps_of(TABLE, body)]
    assert len(sizes) > 400
    assert max(sizes) * len(row) < PIECE + LONGEST_ROW
    assert sum(sizes) == body.count(b'"a"')


HOSTILE = {
    "lists": b'{"rows":[' + b"[]," * ((SIZE - 12) // 3) + b"0]}",
    "one list": b'{"row":[' + b"0," * ((SIZE - 12) // 2) + b"0]}",
    "opening": b'{"rows":' + b"[" * (SIZE - 9),
    "text": b'{"row":{"a":"' + b"a" * (SIZE - 16) + b'"}}',
    "digits": b'{"row":' + b"1" * (SIZE - 8) + b"}",
    "spaces": b'{"rows":[' + b" " * (SIZE - 11) + b"]}",
    "keys": b'{"row":{' + b",".join(b'"%x":0' % key for key in range(700_000)) + b"}}",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_refused_at_their_first_row(body: bytes) -> None:
    assert len(body) <= SIZE
    with pytest.raises((Failure, HTTPException)):
        next(steps_of(TABLE, body))
