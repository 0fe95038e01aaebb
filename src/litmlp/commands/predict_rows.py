"""Predictions for the rows of tables: files, stdin, or JSON on the command line."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from litmlp.commands.answer_formats import Answered
from litmlp.errors import Failure
from litmlp.inference.predictions import in_words, outputs_of, predictions_from
from litmlp.inference.rows import rows_from
from litmlp.model.network import Network

STDIN = "-"


def answered_rows(network: Network, inputs: Sequence[str]) -> Iterator[Answered | tuple[str, Failure]]:
    """Each row of the inputs with its answer, or why there is none.

    Args:
        network: of a table.
        inputs: files, "-" for CSV from stdin, or rows as JSON objects.

    Raises:
        UsageError: if there is no such file.
        Failure: if one can't be read as a table, or lacks columns.
    """
    for name in inputs:
        if name.lstrip().startswith("{"):
            yield answered_row(network, name)
        elif name == STDIN:
            with TemporaryDirectory(prefix="litmlp-") as folder:
                copy = Path(folder) / "stdin.csv"
                with copy.open("wb") as file:
                    shutil.copyfileobj(sys.stdin.buffer, file)
                yield from answered_file(network, str(copy), "stdin", len(inputs) > 1)
        else:
            yield from answered_file(network, name, name, len(inputs) > 1)


def answered_row(network: Network, text: str) -> Answered | tuple[str, Failure]:
    """The answer to a row in JSON."""
    assert network.spec.table is not None
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return text, Failure('a row must be JSON, such as {"rooms": 3, "town": null}')
    try:
        rows = rows_from(network.spec.table, [row])
    except Failure as failure:
        return text, failure
    answer = predictions_from(network, outputs_of(network, rows))[0]
    return Answered(text, in_words(answer), {"input": row, **answer}, {**row, **columns_of(network, answer, list(row))})


def answered_file(network: Network, path: str, name: str, several: bool) -> Iterator[Answered | tuple[str, Failure]]:
    """The answers to the rows of a file.

    Args:
        network: of a table.
        path: of the file.
        name: of the file, for people.
        several: whether there are others, so that rows are named by their file as well.
    """
    from litmlp.inference.table_answers import TableAnswers  # noqa: PLC0415 (a row in JSON needs no reader of files)

    try:
        answers = TableAnswers(network, path)
    except Failure as failure:
        raise Failure(str(failure).replace(path, name)) from failure
    for row in answers:
        place = f"{name}, row {row.row}" if several or isinstance(row.answer, Failure) else f"row {row.row}"
        if isinstance(row.answer, Failure):
            yield place, row.answer
            continue
        file = {"file": name} if several else {}
        columns = {**file, **row.values, **columns_of(network, row.answer, list(row.values))}
        yield Answered(place, in_words(row.answer), {**file, "row": row.row, **row.answer}, columns)
    for problem in answers.table.ragged().values():
        yield name, Failure(problem)


def columns_of(network: Network, answer: dict[str, Any], taken: Sequence[str]) -> dict[str, Any]:
    """An answer as columns beside those of a row: the prediction, and of classes the probability of each.

    Args:
        network: of a table.
        answer: as :func:`litmlp.inference.predictions.predictions_from` gives it.
        taken: names that there are already; one of ours that is among them ends in ``_``.
    """
    classes = network.spec.classes
    if classes is None:
        found = {"prediction": answer["values"][0]}
    else:
        each = dict(zip(classes, answer["probabilities"], strict=True))
        found = {"prediction": answer["label"], "probability": answer["probability"]}
        found |= {f"probability_{name}": value for name, value in each.items()}
    lowered = {name.lower() for name in taken}  # DuckDB, which writes Parquet, takes A and a for one
    return {f"{name}_" if name.lower() in lowered else name: value for name, value in found.items()}
