"""The one network: raw samples in, logits or values out, complete in itself."""

import torch
from torch import Tensor, nn

from litmlp.model.layers import build_layers
from litmlp.model.spec import Settings, Spec


class Network(nn.Module):
    """A multilayer perceptron, with optional convolution blocks in front, that takes samples as the data has them.

    It standardises its input itself, with the mean and std of the training samples that its buffers keep, and its
    settings hold all else that it takes to use it: the shape and kind of a sample, the form of images, the classes.

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
        self.layers = build_layers(settings)

    @property
    def spec(self) -> Spec:
        """What the network is for."""
        return self.settings.spec

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Keep the mean and std of the training samples, each (features,) or (channels, 1, 1)."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, samples: Tensor) -> Tensor:
        """Logits (batch, outputs) of raw samples (batch, *sample_shape); an image's only channel may be left out."""
        x = samples.reshape(samples.shape[0], *self.spec.sample_shape).to(self.mean.dtype)  # (batch, *sample_shape)
        logits: Tensor = self.layers((x - self.mean) / self.std)  # (batch, outputs)
        return logits

    def probabilities(self, samples: Tensor) -> Tensor:
        """Probabilities (batch, classes), or a regression's values (batch, outputs), of raw samples."""
        logits: Tensor = self(samples)  # (batch, outputs)
        return logits if self.spec.classes is None else logits.softmax(1)
