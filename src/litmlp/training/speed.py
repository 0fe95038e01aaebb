"""Three places where a step would cost more than its arithmetic, each with its price and what would make it go.

Measured on a CPU with a tiny network and batches of 64, where a step by hand takes 240 µs.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lightning.pytorch.profilers import PassThroughProfiler
from torch import nn


def hide_gpus() -> None:
    """Spare torch's optimizers a look for GPUs at every step of a training on the CPU: 150 to 370 µs a step.

    They ask ``torch.accelerator.current_accelerator(check_available=True)``, which in a CUDA build on a machine
    without a GPU opens the driver's library again each time. It can go when torch remembers the answer.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def set_attribute(module: nn.Module, name: str, value: Any) -> None:
    """A module's ``__setattr__`` that takes 0.1 instead of 1.5 µs for the hook that the Trainer is in.

    The Trainer notes it 43 times a step as ``_current_fx_name``, and each time torch searches the value for parameters
    and modules. It can go when Lightning notes it elsewhere than on the module.
    """
    if name == "_current_fx_name":
        module.__dict__[name] = value
    else:
        nn.Module.__setattr__(module, name, value)


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, at a seventh of the cost of Lightning's own, which the Trainer enters 42 times a step.

    It can go when Lightning's ``PassThroughProfiler`` is no generator any more.
    """

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Profile nothing."""
        return nullcontext()
