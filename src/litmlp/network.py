"""The layers of the network, from standardised samples to logits."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from litmlp.errors import UsageError

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Dropout(nn.Dropout):
    """torch's dropout, with a mask that a CPU draws several times as fast: 16 random bits for each activation."""

    def forward(self, activations: Tensor) -> Tensor:
        """Activations of any shape, in training with a share p of them 0 and the others scaled by 1 / (1 - p)."""
        if not self.training or activations.device.type != "cpu":
            return super().forward(activations)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # of the 2^16 values that the bits can have
        words = torch.empty(math.ceil(activations.numel() / 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: activations.numel()].view(activations.shape)  # -2^15 to 2^15 - 1
        mask = (bits >= dropped - 2**15).to(activations.dtype).mul_(2**16 / (2**16 - dropped))
        return activations * mask


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
            layers.append(Dropout(dropout))
    layers.append(nn.Linear([math.prod(shape), *hidden][-1], outputs))
    return nn.Sequential(*layers)
