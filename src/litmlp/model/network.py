"""The one network: raw samples in, logits or values out, complete in itself."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from litmlp.model.layers import build_layers
from litmlp.model.spec import Settings, Spec


class Statistics(NamedTuple):
    """What a network standardises by.

    Attributes:
        mean: of the training samples, (features,) or (channels, 1, 1).
        std: of the training samples, of the same shape.
        target_mean: of a regression's training targets, (outputs,); None for a classification.
        target_std: of a regression's training targets, (outputs,); None for a classification.
    """

    mean: Tensor
    std: Tensor
    target_mean: Tensor | None = None
    target_std: Tensor | None = None


class Network(nn.Module):
    """A multilayer perceptron, with optional convolution blocks in front, that takes samples as the data has them.

    It standardises its input itself, with the mean and std of the training samples that its buffers keep, and answers
    a regression in the units of its targets, whose mean and std it keeps as well. Its settings hold all else that it
    takes to use it: the shape and kind of a sample, the form of images, the classes.

    Args:
        settings: what it is built from.

    Raises:
        UsageError: if these don't go together.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        shape = settings.spec.sample_shape
        self.mean: Tensor
        by_channel = shape[0], *[1] * (len(shape) - 1)  # (features,) or (channels, 1, 1)
        self.register_buffer("mean", torch.zeros(by_channel))
        self.std: Tensor
        self.register_buffer("std", torch.ones(by_channel))  # ones_like would import sympy on the meta device: 0.3 s
        if settings.spec.classes is None:
            self.target_mean: Tensor
            self.register_buffer("target_mean", torch.zeros(settings.spec.outputs))
            self.target_std: Tensor
            self.register_buffer("target_std", torch.ones(settings.spec.outputs))
        self.layers = build_layers(settings)

    @property
    def spec(self) -> Spec:
        """What the network is for."""
        return self.settings.spec

    def standardise(self, statistics: Statistics) -> None:
        """Keep the statistics of the training samples, and of a regression's targets."""
        self.mean.copy_(statistics.mean)
        self.std.copy_(statistics.std)
        if statistics.target_mean is not None and statistics.target_std is not None:
            self.target_mean.copy_(statistics.target_mean)
            self.target_std.copy_(statistics.target_std)

    def logits(self, samples: Tensor) -> Tensor:
        """Logits (batch, outputs) of raw samples (batch, *sample_shape); an image's only channel may be left out.

        A regression's are its values in stds of the targets, from their mean: what training compares.
        """
        x = samples.reshape(samples.shape[0], *self.spec.sample_shape).to(self.mean.dtype)  # (batch, *sample_shape)
        logits: Tensor = self.layers((x - self.mean) / self.std)  # (batch, outputs)
        return logits

    def standardised_targets(self, targets: Tensor) -> Tensor:
        """A regression's targets (batch, outputs) in stds from their mean."""
        return (targets - self.target_mean) / self.target_std

    def forward(self, samples: Tensor) -> Tensor:
        """Logits, or a regression's values in the units of its targets (batch, outputs), of raw samples."""
        return self.in_units(self.logits(samples))

    def in_units(self, logits: Tensor) -> Tensor:
        """Logits as they are, or a regression's as values in the units of its targets (batch, outputs)."""
        if self.spec.classes is not None:
            return logits
        return logits.to(self.target_mean.dtype) * self.target_std + self.target_mean

    def probabilities(self, samples: Tensor) -> Tensor:
        """Probabilities (batch, classes), or a regression's values (batch, outputs), of raw samples."""
        outputs: Tensor = self(samples)  # (batch, outputs)
        return outputs if self.spec.classes is None else outputs.softmax(1)
