import math

import pytest
import torch
from torch import nn

from litmlp.training.optimizers import lr_factor


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        ("constant", {0: 1, 50: 1, 100: 1, 150: 1}),
        ("cosine", {0: 1, 25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 100: 0, 150: 0}),
        ("one_cycle", {0: 0.04, 15: 0.52, 30: 1, 65: (1 + 4e-6) / 2, 100: 4e-6, 150: 4e-6}),
    ],
)
def test_the_schedules(schedule, factors):
    assert {step: lr_factor(schedule, 100, step) for step in factors} == pytest.approx(factors)


def test_one_cycle_is_torchs_own():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2.0, total_steps=101, pct_start=31 / 101, cycle_momentum=False
    )
    for step in range(101):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.0 * lr_factor("one_cycle", 100, step), abs=1e-9)
        optimizer.step()
        if step < 100:
            theirs.step()
