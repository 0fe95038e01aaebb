"""The optimizers, and the learning rate over the steps."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, Literal

import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR

from litmlp.errors import UsageError

Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "one_cycle"]


def make_optimizer(
    name: Optimizer, parameters: Iterable[Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimizer over the parameters, in torch's fused form: one kernel for all of them."""
    options: dict[str, Any] = {"lr": lr, "weight_decay": weight_decay, "fused": True}
    if name == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9, **options)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(parameters, **options)


def allow_clipping(optimizer: torch.optim.Optimizer) -> None:
    """Let Lightning clip the gradients of a fused optimizer under mixed precision.

    It refuses to, because a fused optimizer removes the loss's scale from the gradients only within its step. With this
    attribute unset torch's GradScaler removes it before, and in bfloat16 there is no scale anyway.
    """
    optimizer.__dict__["_step_supports_amp_scaling"] = False


def make_scheduler(optimizer: torch.optim.Optimizer, schedule: Schedule, steps: float) -> LambdaLR:
    """The schedule of the optimizer's learning rate over ``steps`` steps.

    Raises:
        UsageError: if it needs an end, but the steps have none.
    """
    check_schedule(schedule, steps)
    return LambdaLR(optimizer, partial(lr_factor, schedule, steps))


def check_schedule(schedule: Schedule, steps: float) -> None:
    """Raise a UsageError if the schedule needs an end, but ``steps`` is infinite."""
    if schedule != "constant" and math.isinf(steps):
        raise UsageError(f"--schedule {schedule} needs an end: give --max_epochs")


def lr_factor(schedule: Schedule, steps: float, step: int) -> float:
    """What the learning rate is multiplied by at a step from 0 on, of ``steps`` in all.

    In closed form, so that a resumed run that is given another ``max_epochs`` follows the new schedule.
    """
    if schedule == "constant":
        return 1.0
    progress = min(step / steps, 1.0)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    start, peak, end = 1 / 25, 0.3, 1e-4 / 25
    if progress < peak:
        return start + (1 - start) * (1 - math.cos(math.pi * progress / peak)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (progress - peak) / (1 - peak))) / 2
