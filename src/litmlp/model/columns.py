"""The columns of a table, and how a row of it becomes numbers."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from litmlp.errors import UsageError

ColumnKind = Literal["number", "category", "date"]
NUMBER_FORMS = ("", "1,234.5", "1.234,5")
CPU = torch.device("cpu")
DATE_PARTS = 5  # of a date: days since 1970, year, month, weekday, hour


@dataclass(frozen=True)
class Column:
    """One column of a table, as a network takes it.

    Attributes:
        name: as in the table's header.
        kind: number, category or date.
        form: how its text is read: of a number "" (12.5), "1,234.5" or "1.234,5"; of a date its strptime format.
        categories: of a category the values that have an input of their own; all others share one.
        low: the smallest training value of a number, or of a date in days since 1970.
        high: the largest.
        typical: the median, or of a category the index of the most frequent one.

    Raises:
        UsageError: if a value can't be.
    """

    name: str
    kind: ColumnKind
    form: str = ""
    categories: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    typical: float = 0.0

    def __post_init__(self) -> None:
        require(is_line(self.name), "a column's name", self.name)
        require(self.kind in get_args(ColumnKind), f"column {self.name}, kind", self.kind)
        forms_fit = {"number": self.form in NUMBER_FORMS, "category": self.form == "", "date": "%" in str(self.form)}
        require(isinstance(self.form, str) and forms_fit[self.kind], f"column {self.name}, form", self.form)
        categories = self.categories
        listed = isinstance(categories, list | tuple) and all(isinstance(value, str) for value in categories)
        require(listed, f"column {self.name}, categories", categories)
        object.__setattr__(self, "categories", tuple(categories))
        fits = bool(categories) == (self.kind == "category") and len(set(categories)) == len(categories)
        require(fits, f"column {self.name}, categories", categories)
        is_index = self.kind != "category" or self.typical in range(len(self.categories))
        require(is_index, f"column {self.name}, typical", self.typical)
        for name in ("low", "high", "typical"):
            value = getattr(self, name)
            plain = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
            require(plain, f"column {self.name}, {name}", value)


@dataclass(frozen=True)
class TableForm:
    """What the samples of a table are rows of.

    Attributes:
        columns: those that the network takes, in the order of a sample's numbers.
        target: name of the column that is predicted.
        missing: the texts that stand for a missing value, besides empty ones.
    """

    columns: tuple[Column, ...]
    target: str
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns, missing = self.columns, self.missing
        listed = isinstance(columns, list | tuple) and all(isinstance(column, Column) for column in columns)
        require(listed and len(columns) > 0, "table.columns", columns)
        object.__setattr__(self, "columns", tuple(columns))
        names = [column.name for column in columns]
        require(len(set(names)) == len(names), "table.columns", names)
        require(is_line(self.target), "table.target", self.target)
        texts = isinstance(missing, list | tuple) and all(isinstance(text, str) for text in missing)
        require(texts, "table.missing", missing)
        object.__setattr__(self, "missing", tuple(missing))

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "TableForm":
        """A table from nested plain values, as a checkpoint holds it.

        Raises:
            UsageError, TypeError, KeyError: if it is none.
        """
        return cls(**{**plain, "columns": tuple(Column(**column) for column in plain["columns"])})


def require(condition: bool, name: str, value: object) -> None:
    """Raise a UsageError that names the value, unless the condition holds."""
    if not condition:
        raise UsageError(f"{name} {str(value)[:200]!r}: there can't be such a one")


def is_line(text: object) -> bool:
    """Whether it is text that isn't empty, and that UTF-8 can hold."""
    return isinstance(text, str) and bool(text) and text.isprintable()


class RowEncoder(nn.Module):
    """Turns rows into numbers without gaps, and into slots of 0 or 1.

    A row has a number for each column: a number's value, a date's days since 1970, a category's index. NaN is a
    missing value; the index after a category's last one stands for all others, rare or never seen. There is a slot for
    each category, one for the others, and one for "missing" of every column. A slot that no training row has filled
    stays 0, since its weights would be those of the initialisation.

    Args:
        table: the columns.
    """

    def __init__(self, table: TableForm) -> None:
        super().__init__()
        columns = list(enumerate(table.columns))
        self.date_places = [place for place, column in columns if column.kind == "date"]
        self.number_places = [place for place, column in columns if column.kind == "number"]
        slots = [(place, float(value)) for place, column in columns for value in slot_values(column)]
        self.numbers = len(self.number_places) + DATE_PARTS * len(self.date_places)
        self.slots = len(slots)
        index: dict[str, Any] = {"dtype": torch.int64, "device": CPU}  # real ones also in an outline on the meta device
        self.number_index = nn.Buffer(torch.tensor(self.number_places, **index), persistent=False)
        self.date_index = nn.Buffer(torch.tensor(self.date_places, **index), persistent=False)
        self.slot_index = nn.Buffer(torch.tensor([place for place, _ in slots], **index), persistent=False)
        self.slot_value = nn.Buffer(torch.tensor([value for _, value in slots], device=CPU), persistent=False)
        self.fill = nn.Buffer(torch.zeros(self.numbers))
        self.seen = nn.Buffer(torch.zeros(self.slots))

    def numbers_of(self, rows: Tensor) -> Tensor:
        """The numbers (batch, numbers) of rows (batch, columns), among them the parts of dates; NaN is missing."""
        parts = [rows.index_select(1, self.number_index)]  # (batch, number columns)
        if self.date_places:
            parts.append(date_parts(rows.index_select(1, self.date_index)))  # (batch, date parts)
        return torch.cat(parts, 1)

    def slots_of(self, rows: Tensor) -> Tensor:
        """Which slots (batch, slots) rows (batch, columns) fill, as 0 and 1."""
        values = rows.nan_to_num(nan=-1.0).index_select(1, self.slot_index)  # (batch, slots)
        return (values == self.slot_value).to(rows.dtype)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers (batch, numbers) without gaps, and slots (batch, slots), of rows (batch, columns)."""
        numbers = self.numbers_of(rows)
        return torch.where(numbers.isnan(), self.fill, numbers), self.slots_of(rows) * self.seen


def slot_values(column: Column) -> list[int]:
    """The values that a column's slots stand for; -1 is "missing"."""
    return [*range(len(column.categories) + 1), -1] if column.kind == "category" else [-1]


def date_parts(days: Tensor) -> Tensor:
    """Days, year, month, weekday (Monday is 0) and hour (batch, dates · 5) of dates (batch, dates); NaN stays NaN.

    Args:
        days: since 1970-01-01, with the time of the day as a fraction.

    Source: days to year and month in the proleptic Gregorian calendar as in Howard Hinnant's ``civil_from_days``.
    """
    whole = days.nan_to_num().floor()
    hour = ((days - whole) * 24 + 0.05).floor().clamp(max=23)  # a float32 of days is exact to 3 minutes until 2059
    shifted = whole.long() + 719_468  # since 0000-03-01
    era = shifted.div(146_097, rounding_mode="floor")
    day = shifted - era * 146_097  # of the era of 400 years
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365  # of the era
    month = (5 * (day - (365 * year + year // 4 - year // 100)) + 2) // 153  # 0 is March
    year = year + era * 400 + (month >= 10).long()
    month = torch.where(month < 10, month + 3, month - 9)
    weekday = (whole.long() + 3) % 7
    known = torch.stack([year, month, weekday], 2).to(days.dtype)  # (batch, dates, 3)
    gaps = torch.where(days.isnan(), torch.nan, 0.0).to(days.dtype).unsqueeze(2)
    return torch.cat([days.unsqueeze(2), known + gaps, hour.unsqueeze(2)], 2).flatten(1)
