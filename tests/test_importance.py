"""Permutation importance, and rows in words."""

import math

import pytest
import torch
from torch import Tensor, nn

from litmlp import Settings, Spec
from litmlp.model.columns import Column, TableForm
from litmlp.model.network import Network
from litmlp.studies.errors import numbers_text
from litmlp.studies.importance import importance_lines, importance_of
from litmlp.studies.row_texts import row_text, value_text

FORM = TableForm((Column("noise", "number"), Column("answer", "number"), Column("constant", "number")), "y")
ROWS = 1200


class Rule(nn.Module):
    """Answers the second column: as logits of two classes, or as a value."""

    def __init__(self, classes: tuple[str, ...] | None) -> None:
        super().__init__()
        self.spec = Spec("mine", (3,), 2 if classes else 1, classes, kind="row", table=FORM)
        self.asked = 0

    def forward(self, rows: Tensor) -> Tensor:
        self.asked += len(rows)
        return torch.stack([-rows[:, 1], rows[:, 1]], 1) if self.spec.classes else rows[:, 1:2]


def rows_of(answers: Tensor) -> Tensor:
    noise = torch.rand(len(answers), generator=torch.Generator().manual_seed(1))
    return torch.stack([noise, answers, torch.full_like(answers, math.nan)], 1)


def test_a_column_that_is_the_target_beside_one_of_noise() -> None:
    answers = torch.tensor([1.0, -1.0]).repeat(ROWS // 2)
    rule, done = Rule(("no", "yes")), []
    found = importance_of(rule, rows_of(answers), (answers > 0).long(), lambda *state: done.append(state))  # type: ignore[arg-type]
    assert found is not None
    assert (found.metric, found.rows, found.order[0]) == ("accuracy", ROWS, 1)
    assert found.drops[[0, 2]].tolist() == [0, 0]
    assert float(found.drops[1]) == pytest.approx(0.5, abs=0.03)  # half of the shuffled values are the right ones
    assert done == [(0, 3), (1, 3), (2, 3), (3, 3)]
    # All rows at first, those of the answer that changed, and nearly all of noise; a missing column needs none.
    stayed = ROWS + round(3 * ROWS * float(found.drops[1])) + 3 * ROWS - rule.asked
    assert 0 <= stayed < 20
    again = importance_of(rule, rows_of(answers), (answers > 0).long(), lambda *_: None)  # type: ignore[arg-type]
    assert again is not None
    assert torch.equal(again.drops, found.drops)


def test_r2_falls_by_two_where_the_only_column_is_shuffled() -> None:
    answers = torch.randn(ROWS, generator=torch.Generator().manual_seed(2))
    found = importance_of(Rule(None), rows_of(answers), answers.unsqueeze(1), lambda *_: None)  # type: ignore[arg-type]
    assert found is not None
    assert found.metric == "R²"
    assert found.drops[[0, 2]].tolist() == [0, 0]
    assert float(found.drops[1]) == pytest.approx(2, abs=0.15)  # the error's variance is twice that of the targets
    assert importance_lines(found, ["noise", "answer", "constant"]) == [
        "",
        "R² lost when a column is shuffled among 1,200 rows (mean of 3 shuffles):",
        f"  answer    {float(found.drops[1]):7.4f}",
        "  noise      0.0000",
        "  constant   0.0000",
    ]
    constant = torch.ones(ROWS, 1)
    assert importance_of(Rule(None), rows_of(answers), constant, lambda *_: None) is None  # type: ignore[arg-type]


def test_many_rows_and_columns_are_sampled() -> None:
    answers = torch.randn(12_000, generator=torch.Generator().manual_seed(3))
    found = importance_of(Rule(None), rows_of(answers), answers.unsqueeze(1), lambda *_: None)  # type: ignore[arg-type]
    assert found is not None
    assert found.rows == 10_000
    wide = TableForm(tuple(Column(f"c{n}", "number") for n in range(80)), "y")
    network = Network(Settings(Spec("mine", (80,), 1, kind="row", table=wide), hidden=(2,)))
    found = importance_of(network, torch.randn(3000, 80), torch.randn(3000, 1), lambda *_: None)
    assert found is not None
    assert found.rows == 1024


def test_rows_in_words() -> None:
    columns = (
        Column("island", "category", categories=("Biscoe", "Dream")),
        Column("mass", "number"),
        Column("seen", "date", "%d.%m.%Y"),
        Column("at", "date", "%Y-%m-%d %H:%M"),
    )
    form = TableForm(columns, "species")
    row = torch.tensor([1, 3750, 19_000, 19_000.25])
    text = "island Dream, mass 3750, seen 2022-01-08, at 2022-01-08 06:00"
    assert row_text(form, row, [0, 1, 2, 3]) == text
    assert row_text(form, torch.tensor([2, math.nan, math.nan, 0]), [1, 0]) == "mass missing, island rare or unseen"
    assert value_text(columns[1], float(torch.tensor(39.1))) == "39.1"
    assert value_text(columns[1], 1e12) == "1e+12"
    assert value_text(columns[2], 8e6) == "23873-04-04"
    odd = Column("odd", "category", categories=("a\nb", "x" * 50))
    assert [value_text(odd, index) for index in (0, 1)] == [r"'a\nb'", f"{'x' * 29}…"]
    assert numbers_text(torch.tensor([[0.12345, 341_699.0], [2e9, -15_000.4]])) == "0.1235, 341699, 2e+09, -15000"
