"""What each column of a table is: decided from all of its rows, and said with the reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from litmlp.errors import UsageError
from litmlp.inference.encode import date_sql, number_sql
from litmlp.inference.sql import first_line, sql_name, sql_text
from litmlp.inference.tables import TextTable

MANY = 10_000  # different values, of which an approximation is enough
MOST_CATEGORIES = 100_000  # different values of a column, which are looked at to choose among
TOGETHER = 100  # columns that are looked at in one query
FEW = 20  # different whole numbers that may be classes
SAMPLE = 200  # values that are tried before all are
ID_NAMES = ("id", "index", "uuid", "guid", "key", "rownames", "unnamed: 0")
NUMBER_PATTERNS = {
    "1,234.5": r"[+-]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?",
    "1.234,5": r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?",
}
DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y",
        "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y")  # fmt: skip
TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M:%SZ", "T%H:%M", " %H:%M:%S.%f", "T%H:%M:%S.%f",
         "T%H:%M:%S.%fZ", " %I:%M:%S %p", " %I:%M %p")  # fmt: skip


class Kind(NamedTuple):
    """What a column is taken for.

    Attributes:
        name: of the column.
        kind: number, category or date; or ignore.
        form: how its numbers or dates are written.
        why: the reason, for people.
        distinct: how many different values there are, at least about.
        whole: whether all values are whole numbers.
    """

    name: str
    kind: Literal["number", "category", "date", "ignore"]
    form: str
    why: str
    distinct: int
    whole: bool = False


class Facts(NamedTuple):
    """How many values a column has: all, those that aren't missing, numbers, numbers with leading zeros, whole numbers.

    And how many different ones.
    """

    rows: int
    known: int
    numbers: int
    zeros: int
    whole: int
    distinct: int


def facts_of(table: TextTable, names: Sequence[str]) -> dict[str, Facts]:
    """The facts of columns of a loaded table, many in one query."""
    facts: dict[str, Facts] = {}
    for start in range(0, len(names), TOGETHER):
        group = names[start : start + TOGETHER]
        found = table.run(f"SELECT {', '.join(value for name in group for value in counts_sql(table, name))} FROM t")[0]
        parts = (found[place : place + 6] for place in range(0, len(found), 6))
        facts |= {name: Facts(*part) for name, part in zip(group, parts, strict=True)}
    # An approximation says enough of those in between.
    doubtful = {
        name: (fact.distinct, fact.known) for name, fact in facts.items() if not MANY < fact.distinct < 0.8 * fact.known
    }
    exact = table.distinct(doubtful)
    return {name: fact._replace(distinct=exact.get(name, fact.distinct)) for name, fact in facts.items()}


def counts_sql(table: TextTable, name: str) -> list[str]:
    """The SQL of each fact of a column; the different values are counted approximately."""
    column = sql_name(name)
    number = number_sql(column, "")
    with_zeros = f"{column} SIMILAR TO '[+-]?0[0-9].*'" if table.text(name) == column else "false"
    conditions = (with_zeros, f"{number} = floor({number})")
    counts = [f"count(CASE WHEN {condition} THEN 1 END)" for condition in conditions]
    return ["count(*)", f"count({column})", f"count({number})", *counts, f"approx_count_distinct({column})"]


def kind_of(
    table: TextTable, name: str, asked: str | None = None, target: bool = False, facts: Facts | None = None
) -> Kind:
    """What a column of a loaded table is.

    Args:
        table: has at least one row.
        name: of the column.
        asked: what the user says it is: number, category, date, ignore, or the strptime format of dates.
        target: whether it is the target, which is never left out for looking like an identifier.
        facts: of the column, if they are known already.

    Raises:
        UsageError: if it can't be what is asked.
    """
    if asked == "ignore":
        return Kind(name, "ignore", "", "as asked", 0)
    rows, known, numbers, zeros, whole, distinct = facts or facts_of(table, [name])[name]
    found = Kind(name, "ignore", "", "it is empty", distinct, whole == known)
    if known == 0:
        return found
    if asked is not None:
        return as_asked(table, found, asked, known)
    if distinct == 1 and known == rows:
        found = found._replace(why="it has one value only")
    elif numbers == known and not zeros:
        if found.whole and distinct == known and known > FEW and is_id(name) and not target:
            found = found._replace(why="all its whole numbers differ, and it is named like an id")
        else:
            about = "about " if MANY < distinct < 0.8 * known else ""
            found = found._replace(kind="number", why=f"numbers, {about}{distinct:,} different")
    else:
        what = "numbers with leading zeros" if numbers == known else "text"
        found = kind_of_text(table, found, known, what, target)
    return found


def kind_of_text(table: TextTable, found: Kind, known: int, what: str, target: bool) -> Kind:
    """What a column is whose ``known`` values are, as they stand there, no numbers."""
    form = form_of(table, table.text(found.name), known) if what == "text" else None
    if form is not None:
        written = f"{'dates' if '%' in form else 'numbers'} written as {form}"
        return found._replace(kind="date" if "%" in form else "number", form=form, why=written)
    if found.distinct == known and known > FEW and not target:
        return found._replace(why=f"{what}, and all its {known:,} values differ")
    if found.distinct > MOST_CATEGORIES:
        return found._replace(why=f"{what} with {found.distinct:,} different values")
    return found._replace(kind="category", why=f"{what}, {found.distinct:,} different")


def as_asked(table: TextTable, found: Kind, asked: str, known: int) -> Kind:
    """The column as the user says.

    Raises:
        UsageError: if it can't be that.
    """
    column = table.text(found.name)
    flag = f"--columns {{{found.name}: {asked}}}"
    if asked == "category":
        if found.distinct > MOST_CATEGORIES:
            raise UsageError(
                f"{flag}: it has {found.distinct:,} different values, more than {MOST_CATEGORIES:,}; ignore it"
            )
        return found._replace(kind="category", why="as asked")
    if asked == "number":
        forms = [form for form in ("", *NUMBER_PATTERNS) if fits(table, column, number_sql(column, form), known)]
        example = table.run(f"SELECT {column} FROM t WHERE {column} IS NOT NULL AND {number_sql(column, '')} IS NULL")
    elif asked == "date" or "%" in asked:
        formats = [asked] if "%" in asked else [day + time for day in DAYS for time in TIMES]
        check_format(table, asked, flag)
        forms = [form for form in formats if fits(table, column, date_sql(column, form), known)]
        example = table.run(
            f"SELECT {column} FROM t WHERE {date_sql(column, formats[0])} IS NULL AND {column} IS NOT NULL"
        )
    else:
        raise UsageError(f"{flag}: must be number, category, date, ignore, or the format of dates, as %d.%m.%Y")
    if not forms:
        raise UsageError(
            f"{flag}: {str(example[0][0])[:60]!r} is none (and {len(example) - 1:,} more): ignore it, or clean it"
        )
    return found._replace(kind="number" if asked == "number" else "date", form=forms[0], why="as asked")


def check_format(table: TextTable, form: str, flag: str) -> None:
    """Raise a UsageError if dates can't have the format, where it is one: in files or, read by Python, in JSON."""
    if "%" in form:
        query = f"SELECT strftime(TIMESTAMP '2000-02-03', {sql_text(form)})"
        try:
            datetime.strptime(table.connection.execute(query).fetchall()[0][0], form)
        except (table.error, ValueError) as error:
            raise UsageError(f"{flag}: is no format of dates ({first_line(error)})") from None


def form_of(table: TextTable, column: str, known: int) -> str | None:
    """How all values of a column are written as numbers or dates; None if they aren't."""
    forms = [
        *((form, f"CASE WHEN regexp_full_match({column}, {sql_text(pattern)}) THEN 1 END")
          for form, pattern in NUMBER_PATTERNS.items()),
        *((day + time, f"try_strptime({column}, {sql_text(day + time)})") for day in DAYS for time in TIMES),
    ]  # fmt: skip
    digits = f"count(CASE WHEN regexp_matches({column}, '[0-9]') AND length({column}) < 40 THEN 1 END)"
    if table.run(f"SELECT {digits} FROM t")[0][0] < known:
        return None
    sample = f"(SELECT * FROM t WHERE {column} IS NOT NULL LIMIT {SAMPLE})"
    values = table.run(f"SELECT count(*) FROM {sample}")[0][0]
    for form, value in forms:
        if table.run(f"SELECT count({value}) FROM {sample}")[0][0] == values and fits(table, column, value, known):
            return form
    return None


def fits(table: TextTable, column: str, value: str, known: int) -> bool:
    """Whether the SQL ``value`` gives one for each known value of a column."""
    return bool(table.run(f"SELECT count({value}) FROM t WHERE {column} IS NOT NULL")[0][0] == known)


def is_id(name: str) -> bool:
    """Whether a column is named like an identifier: id, customer_id, PassengerId."""
    lowered = name.lower()
    return lowered in ID_NAMES or lowered.endswith(("_id", " id", "-id")) or name.endswith(("Id", "ID"))
