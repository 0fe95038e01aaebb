"""The pass over a large table in which its rows are encoded, and dealt out to the files of its splits."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.encode import column_sql
from litmlp.inference.sql import sql_name, sql_text
from litmlp.model.columns import Column, TableForm
from litmlp.randomness import SPLIT, generator
from litmlp.tasks.dealing import Dealer
from litmlp.tasks.large_columns import ANY, Sides
from litmlp.tasks.large_table import LargeTable
from litmlp.tasks.progress import Progress
from litmlp.tasks.stored import Field, Layout, blocks_for, layout_of, rows_in_a_share
from litmlp.tasks.summary import Summary
from litmlp.tasks.target import Target

CHUNK_ROWS = 2**20  # that are shuffled together, where memory allows
CACHED = 2**18  # numbers that are transposed together: as many as stay in a core's cache


class Written(NamedTuple):
    """A split in its files.

    Attributes:
        layout: how it lies there.
        checksums: of its blocks.
        summary: of its rows.
    """

    layout: Layout
    checksums: tuple[list[int], list[int]]
    summary: Summary


class Pass:
    """Writes splits of a table to files.

    Args:
        folder: that they are written to.
        form: the columns and the target's name.
        target: what the target is.
        seed: of the shuffle.
        memory: bytes that samples may take.

    Attributes:
        without_target: rows that were left out.
    """

    def __init__(self, folder: Path, form: TableForm, target: Target, seed: int, memory: int) -> None:
        self.folder, self.form, self.target, self.seed, self.memory = folder, form, target, seed, memory
        targets = Field((1,), "float32") if target.classes is None else Field((), "int64")
        self.fields = Field((len(form.columns),), "float32"), targets
        self.without_target = 0
        self.draws = generator(seed, SPLIT)

    def write(self, table: LargeTable, expected: Mapping[str, int], sides: Sides) -> dict[str, Written]:
        """Encode the rows of a loaded table, and deal them out.

        While a thread does so with one chunk of rows, the next is read.

        Args:
            table: that has the columns.
            expected: about how many rows each split gets.
            sides: which of the splits a row belongs to.

        Raises:
            Failure: if a target is none of the classes.
            OSError: if the disk is full, say.
        """
        wanted = Column(self.form.target, "number", self.target.kind.form)
        if self.target.classes is not None:
            wanted = Column(self.form.target, "category", categories=self.target.classes)
        values = [encoded_sql(table, column) for column in (*self.form.columns, wanted)] + [f"{sides.sql}::UTINYINT"]
        with ExitStack() as stack:
            progress = stack.enter_context(Progress("rows", sum(expected.values())))
            dealers = {name: stack.enter_context(self._dealer(name, rows)) for name, rows in expected.items()}
            summaries = {name: Summary(len(self.form.columns)) for name in dealers}
            thread = stack.enter_context(ThreadPoolExecutor(1, "deal"))
            dealt: Future[None] | None = None
            chunk_rows = min(CHUNK_ROWS, rows_in_a_share(self.fields, self.memory))
            for rows, others in chunks_of(table.batches(values), len(self.form.columns), chunk_rows):
                if dealt is not None:
                    dealt.result()
                dealt = thread.submit(self._deal, table, rows, others, sides, dealers, summaries)
                progress.add(len(rows))
            if dealt is not None:
                dealt.result()
        return {name: self._written(dealer, summaries[name]) for name, dealer in dealers.items()}

    def _dealer(self, name: str, rows: int) -> Dealer:
        return Dealer(self.folder, name, blocks_for(rows, self.fields, self.memory), self.fields, self.seed)

    def _deal(
        self,
        table: LargeTable,
        rows: Tensor,
        others: Tensor,
        sides: Sides,
        dealers: Mapping[str, Dealer],
        summaries: Mapping[str, Summary],
    ) -> None:
        """Deal out a chunk of rows (rows, columns), with their targets and sides (2, rows)."""
        targets, numbers = others.numpy()  # (rows,), (rows,)
        anywhere = numpy.flatnonzero(numbers == ANY)
        numbers[anywhere] = sides.drawn(len(anywhere), self.draws)
        known = ~numpy.isnan(targets)
        self.without_target += len(known) - int(known.sum())
        check_classes(table, self.target, targets)
        targets = (
            targets[:, None] if self.target.classes is None else numpy.where(known, targets, 0).astype(numpy.int64)
        )
        for name, dealer in dealers.items():
            own = numpy.flatnonzero(known & (numbers == sides.numbers[name]))
            summaries[name].add(*dealer.add(rows, torch.from_numpy(targets), own))

    def _written(self, dealer: Dealer, summary: Summary) -> Written:
        return Written(layout_of(dealer.chunks, dealer.blocks, self.fields, self.memory), dealer.checksums, summary)


def chunks_of(batches: Iterator[list[Any]], columns: int, rows: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The first columns as rows (rows, columns), and the others as they are (others, rows), so many rows at a time.

    The next chunk but one is written to the same memory.

    Args:
        batches: lists of arrays (batch,).
        columns: that become rows.
        rows: of a chunk; the last has fewer.
    """
    buffers: Iterator[list[Any]] | None = None
    filled = 0
    for batch in batches:
        if buffers is None:
            shapes = (rows, columns), (len(batch) - columns, rows)
            two = [[numpy.empty(shape, numpy.float32) for shape in shapes] for _ in range(2)]
            buffers = cycle(two)
            by_row, by_column = next(buffers)
        done = 0
        while done < len(batch[0]):
            count = min(rows - filled, len(batch[0]) - done)
            part = [column[done : done + count] for column in batch]
            transpose(part[:columns], by_row[filled : filled + count])
            for place, column in enumerate(part[columns:]):
                by_column[place, filled : filled + count] = column
            done, filled = done + count, filled + count
            if filled == rows:
                yield torch.from_numpy(by_row), torch.from_numpy(by_column)
                (by_row, by_column), filled = next(buffers), 0
    if filled:
        yield torch.from_numpy(by_row[:filled]), torch.from_numpy(by_column[:, :filled])


def transpose(columns: list[Any], rows: Any) -> None:
    """Write columns, arrays (rows,) of numbers, to rows (rows, columns) of float32; what is too large is infinite."""
    step = max(1, CACHED // len(columns))
    side_by_side = numpy.empty((len(columns), step), numpy.float32)
    with numpy.errstate(over="ignore"):
        for start in range(0, len(rows), step):
            target = rows[start : start + step]
            for place, column in enumerate(columns):
                side_by_side[place, : len(target)] = column[start : start + step]
            target[:] = side_by_side[:, : len(target)].T


def encoded_sql(table: LargeTable, column: Column) -> str:
    """The SQL of a column's numbers: missing is NULL or NaN, and infinite what can't be one of its kind."""
    name = sql_name(column.name)
    if column.kind == "number" and not column.form and column.name in table.numbers:
        return name
    return f"coalesce({column_sql(table, column, table.text(column.name))}, 'inf'::FLOAT)"


def check_classes(table: LargeTable, target: Target, targets: Any) -> None:
    """Raise a Failure if a target (rows,) is none of the classes."""
    if target.classes is not None and (targets == len(target.classes)).any():
        text, known = table.text(target.kind.name), ", ".join(map(sql_text, target.classes))
        found = table.run(f"SELECT {text} FROM t WHERE {text} NOT IN ({known}) LIMIT 1")[0][0]
        known = ", ".join(target.classes)[:200]
        raise Failure(f"{table.source}: {target.kind.name} is {found!r}, but the classes are {known}")


def check_numbers(table: LargeTable, form: TableForm, summary: Summary) -> None:
    """Raise a Failure if a row of a split can't be one of its columns, or has a target that isn't a number."""
    for place in summary.infinite():
        column, name = form.columns[place], sql_name(form.columns[place].name)
        text = table.text(column.name)
        wrong = f"{column_sql(table, column, text)} IS NULL AND {name} IS NOT NULL"
        found = table.run(f"SELECT {text} FROM t WHERE {wrong} LIMIT 1")[0][0]
        raise Failure(f"{table.source}: {column.name} is a {column.kind}, but {found!r} is none")
    if not isfinite(summary.total):
        raise Failure(f"{table.source}: {form.target} holds what isn't a number")
