"""Dropout, several times as fast on a CPU as torch's."""

import math

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """torch's dropout, with a mask that a CPU draws several times as fast: 16 random bits for each activation."""

    def forward(self, activations: Tensor) -> Tensor:
        """Activations of any shape, in training each 0 with probability p and the others scaled by 1 / (1 - p)."""
        if not self.training or activations.device.type != "cpu":
            return super().forward(activations)
        dropped = min(round(self.p * 2**16), 2**16 - 1)  # of the 2^16 values that the bits can have
        words = torch.empty(math.ceil(activations.numel() / 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: activations.numel()].view(activations.shape)  # -2^15 to 2^15 - 1
        mask = (bits >= dropped - 2**15).to(activations.dtype).mul_(2**16 / (2**16 - dropped))
        return activations * mask
