"""The layers of the network, from standardised samples to logits."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from litmlp.errors import UsageError

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def build_network(
    sample_shape: tuple[int, ...],
    outputs: int,
    hidden: Sequence[int],
    activation: str,
    dropout: float,
    batch_norm: bool,
    conv: Sequence[int],
) -> nn.Sequential:
    """The layers from standardised samples (batch, *sample_shape) to logits (batch, outputs)."""
    layers: list[nn.Module] = []
    shape = sample_shape
    if conv and len(shape) != 3:
        raise UsageError(f"--conv {list(conv)} needs images, but a sample of this task has shape {shape}")
    for channels_in, channels_out in pairwise([shape[0], *conv]):
        shape = (channels_out, (shape[1] - 2) // 2, (shape[2] - 2) // 2)
        if min(shape) < 1:
            raise UsageError(f"--conv {list(conv)} has too many stages: nothing is left of {sample_shape}")
        layers += [nn.Conv2d(channels_in, channels_out, 3), nn.ReLU(), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    for width_in, width_out in pairwise([math.prod(shape), *hidden]):
        layers.append(nn.Linear(width_in, width_out))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width_out))
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    layers.append(nn.Linear([math.prod(shape), *hidden][-1], outputs))
    return nn.Sequential(*layers)
