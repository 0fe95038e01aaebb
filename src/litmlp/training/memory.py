"""Whether a model fits into memory, before any of it is taken: the kernel ends what takes too much without a word."""

import torch

from litmlp.cgroups import machine_memory
from litmlp.errors import UsageError
from litmlp.training.mlp import MLP

OPTIMIZER_STATES = {"sgd": 1}  # numbers that an optimizer keeps for each parameter; Adam's two moments are 2
BYTES = {"64-true": 8, "64": 8, 64: 8, "bf16-true": 2, "16-true": 2}  # of a number by --precision; otherwise 4


def check_memory(outline: MLP, precision: str | int | None, device: torch.device) -> None:
    """Check that the parameters, their gradients and the optimizer's state fit into memory.

    Args:
        outline: the model, on the meta device, where it takes no memory.
        precision: the flag's value.
        device: the one to train on.

    Raises:
        UsageError: if they don't, with how much they need, and how much there is.
    """
    parameters = sum(parameter.numel() for parameter in outline.parameters())
    needed = parameters * BYTES.get(precision or "", 4) * (2 + OPTIMIZER_STATES.get(outline.optimizer, 2))
    available = torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else machine_memory()
    if available is not None and needed > available:
        conv = f" --conv {list(outline.settings.conv)}" if outline.settings.conv else ""
        raise UsageError(
            f"--hidden {list(outline.settings.hidden)}{conv}: {parameters:,} parameters need {needed / 1e9:,.1f} GB to"
            f" be trained with {outline.optimizer}, and there are {available / 1e9:,.1f} GB"
        )
