"""The learning rate over the steps."""

import math


def lr_factor(schedule: str, steps: float, step: int) -> float:
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
