"""What a table has to offer: its target, and what each of the other columns is."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from litmlp.errors import Failure, UsageError
from litmlp.inference.tables import TextTable
from litmlp.tasks.findings import Findings
from litmlp.tasks.kinds import Facts, Kind, facts_of, kind_of
from litmlp.tasks.target import Target, regression, target_of


class Question(NamedTuple):
    """What is asked of a table.

    Attributes:
        target: the column to predict.
        asked: what columns are, as the user says.
        missing: texts that stand for a missing value.
        group_by: a column whose rows of one value stay together in a split.
        time_by: a column that orders the rows in time.
    """

    target: str
    asked: dict[str, str]
    missing: tuple[str, ...]
    group_by: str | None
    time_by: str | None


class Analysis(NamedTuple):
    """What was found.

    Attributes:
        target: the target column.
        kinds: of the other columns.
        features: those that aren't left out.
        findings: for people.
    """

    target: Target
    kinds: list[Kind]
    features: list[Kind]
    findings: Findings


def analyse(table: TextTable, question: Question, known: Mapping[str, Kind] = MappingProxyType({})) -> Analysis:
    """Find out what the columns of a loaded table are. Rows without a target are dropped, unless it is known.

    Args:
        table: with at least one row.
        question: what is asked of it.
        known: columns that needn't be looked at; the target only as numbers.

    Raises:
        UsageError: if a flag doesn't fit the table.
        Failure: if nothing can be learned from it.
    """
    check_names(table, question)
    name, notes = question.target, table.notes
    if name in known:
        target = regression(known[name])
    else:
        target = target_of(table, name, question.asked.get(name))
        notes = notes + target.drop_missing(table)
    names = [name for name in table.names if name != question.target]
    left = [name for name in names if name not in known and question.asked.get(name) != "ignore"]
    facts = facts_of(table, left)
    kinds = [known.get(name) or kind_in(table, name, question, facts.get(name)) for name in names]
    features = [kind for kind in kinds if kind.kind != "ignore"]
    require_columns(table, question, features, {kind.name: kind.why for kind in kinds})
    return Analysis(target, kinds, features, Findings(notes=notes))


def check_names(table: TextTable, question: Question) -> None:
    """Raise a UsageError if a flag names a column that there isn't."""
    flags = {"target": question.target, "group_by": question.group_by, "time_by": question.time_by}
    for flag, name in [*flags.items(), *(("columns", name) for name in question.asked)]:
        if name is not None and name not in table.names:
            lowered = {known.lower(): known for known in table.names}
            near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
            hint = f"did you mean {lowered[near[0]]}?" if near else f"there are {', '.join(table.names)[:300]}"
            raise UsageError(f"--{flag} {name}: there is no such column; {hint}")


def require_columns(table: TextTable, question: Question, columns: Sequence[Any], dropped: Mapping[str, str]) -> None:
    """Raise a Failure if no column is left."""
    if not columns:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())[:300]
        raise Failure(f"{table.source}: no column is left to predict {question.target} from ({reasons})")


def kind_in(table: TextTable, name: str, question: Question, facts: Facts | None) -> Kind:
    """What a column is; one that rows are grouped by is no input."""
    asked = question.asked.get(name)
    if name == question.group_by and asked is None:
        return Kind(name, "ignore", "", "rows are grouped by it", 0)
    return kind_of(table, name, asked, facts=facts)


def time_kind(table: TextTable, question: Question) -> Kind:
    """What the column is that orders rows in time.

    Raises:
        UsageError: if its values are neither numbers nor dates, or all the same.
    """
    assert question.time_by is not None
    asked = question.asked.get(question.time_by)
    kind = kind_of(table, question.time_by, None if asked == "ignore" else asked, target=True)
    if kind.distinct == 1:
        raise UsageError(f"--time_by {question.time_by}: it is the same in all rows")
    if kind.kind not in ("number", "date"):
        raise UsageError(f"--time_by {question.time_by}: its values are neither numbers nor dates")
    return kind
