"""The table of the tabular benchmark: each candidate's metric and time on each table, and its mean rank."""

from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Literal, NamedTuple

Metric = Literal["rmse", "accuracy"]


class Outcome(NamedTuple):
    """What a candidate reached on a table with one seed.

    Attributes:
        metric: of the test.
        seconds: of one processor, from the process's start to its end.
    """

    metric: float
    seconds: float


Outcomes = Mapping[str, Sequence[Outcome]]  # of a table, by candidate


def ranks(outcomes: Outcomes, metric: Metric) -> dict[str, float]:
    """The candidates' ranks on a table, 1 for the best mean over the seeds; equal ones share theirs."""
    sign = 1 if metric == "rmse" else -1
    means = {name: sign * round(fmean(outcome.metric for outcome in own), 9) for name, own in outcomes.items()}
    order = sorted(means.values())
    return {name: order.index(mean) + (order.count(mean) + 1) / 2 for name, mean in means.items()}


def mean_ranks(tables: Mapping[str, Outcomes], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The candidates' mean ranks over the tables that all of them were measured on."""
    names = {name for outcomes in tables.values() for name in outcomes}
    found = [ranks(outcomes, metrics[table]) for table, outcomes in tables.items() if outcomes.keys() == names]
    return {name: fmean(of_table[name] for of_table in found) for name in names} if found else {}


def markdown(tables: Mapping[str, Outcomes], metrics: Mapping[str, Metric], candidates: Sequence[str]) -> list[str]:
    """The lines of the table; the best metric of a row is bold.

    Args:
        tables: what was measured.
        metrics: of each table.
        candidates: those to show, in order.
    """
    lines = [f"| | {' | '.join(candidates)} |", "|---|" + "---|" * len(candidates)]
    for table, outcomes in tables.items():
        found = ranks(outcomes, metrics[table])
        best = min(found.values(), default=0)
        cells = [
            cell(outcomes[name], metrics[table], found[name] == best) if name in outcomes else "not measured"
            for name in candidates
        ]
        lines.append(f"| {table}, {'RMSE' if metrics[table] == 'rmse' else 'accuracy'} | {' | '.join(cells)} |")
    mean = mean_ranks(tables, metrics)
    cells = [f"**{mean[name]:.2f}**" if name in mean else "" for name in candidates]
    return [*lines, f"| mean rank | {' | '.join(cells)} |"]


def cell(outcomes: Sequence[Outcome], metric: Metric, is_best: bool) -> str:
    """The mean and std of the metric over the seeds, and the mean time."""
    values = [outcome.metric for outcome in outcomes]
    text = shown(fmean(values), metric)
    spread = f" ± {shown(pstdev(values), metric)}" if len(values) > 1 else ""
    return f"{f'**{text}**' if is_best else text}{spread}, {fmean(outcome.seconds for outcome in outcomes):.3g} s"


def shown(value: float, metric: Metric) -> str:
    """A metric for people."""
    if metric == "accuracy":
        return f"{value:.2%}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.4f}"
