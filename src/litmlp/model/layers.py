"""The layers of the network, from standardised samples to logits."""

import math
from itertools import pairwise

from torch import nn

from litmlp.errors import UsageError
from litmlp.model.dropout import Dropout
from litmlp.model.encoding import MemberHeads, Members
from litmlp.model.spec import Settings

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def build_layers(settings: Settings, width: int | None = None) -> nn.Sequential:
    """The layers from standardised samples (batch, *sample_shape) to logits (batch, outputs).

    With members the logits are (batch, members, outputs).

    Args:
        settings: what they are built from.
        width: features of an encoded sample (batch, width), where that isn't the sample's own.

    Raises:
        UsageError: if there are convolution blocks, but samples are no images, or too small for them.
    """
    layers: list[nn.Module] = []
    shape, conv = settings.spec.sample_shape, list(settings.conv)
    if conv and len(shape) != 3:
        raise UsageError(f"--conv {conv} needs images, but a sample of this task has shape {shape}")
    for channels_in, channels_out in pairwise([shape[0], *conv]):
        shape = (channels_out, (shape[1] - 2) // 2, (shape[2] - 2) // 2)
        if min(shape) < 1:
            raise UsageError(f"--conv {conv} has too many blocks: nothing is left of {settings.spec.sample_shape}")
        layers += [nn.Conv2d(channels_in, channels_out, 3), nn.ReLU(), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    widths = [width or math.prod(shape), *settings.hidden]
    if settings.members > 1:
        layers.append(Members(settings.members, widths[0]))
    for width_in, width_out in pairwise(widths):
        layers.append(nn.Linear(width_in, width_out))
        if settings.batch_norm:
            layers.append(nn.BatchNorm1d(width_out))
        layers.append(ACTIVATIONS[settings.activation]())
        if settings.dropout:
            layers.append(Dropout(settings.dropout))
    outputs, members = settings.spec.outputs, settings.members
    layers.append(MemberHeads(members, widths[-1], outputs) if members > 1 else nn.Linear(widths[-1], outputs))
    return nn.Sequential(*layers)
