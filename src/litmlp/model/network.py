"""The one network: raw samples in, logits or values out, complete in itself."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from litmlp.model.columns import RowEncoder
from litmlp.model.encoding import PiecewiseLinear, mean_of_members
from litmlp.model.layers import build_layers
from litmlp.model.spec import Settings, Spec
from litmlp.model.statistics import Statistics

SAME_STATISTICS = 1e-5  # stds, up to which means and stds of the same samples differ by rounding


class Network(nn.Module):
    """A multilayer perceptron, with optional convolution blocks in front, that takes samples as the data has them.

    It standardises its input itself, with the mean and std of the training samples that its buffers keep, and answers
    a regression in the units of its targets, whose mean and std it keeps as well. Numbers may be encoded by bins
    instead, and the rows of a table are encoded column by column. Its settings hold all else that it takes to use it:
    the shape and kind of a sample, the form of images, the columns of rows, the classes.

    Args:
        settings: what it is built from.

    Raises:
        UsageError: if these don't go together.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        shape, table = settings.spec.sample_shape, settings.spec.table
        self.rows = RowEncoder(table) if table is not None else None
        if self.rows is not None:
            shape = (self.rows.numbers,)
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
        self.bins = PiecewiseLinear(shape[0], settings.bins, settings.embedding) if settings.bins else None
        numbers = shape[0] if self.bins is None else self.bins.width
        width = numbers + (0 if self.rows is None else self.rows.slots)  # features of an encoded sample
        self.layers = build_layers(settings, None if len(shape) == 3 else width)

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
        if self.bins is not None and statistics.bins is not None:
            self.bins.start.copy_(statistics.bins[0])
            self.bins.slope.copy_(statistics.bins[1])
        if self.rows is not None and statistics.fill is not None and statistics.seen is not None:
            self.rows.fill.copy_(statistics.fill)
            self.rows.seen.copy_(statistics.seen)

    def is_standardised_as(self, other: Mapping[str, Tensor]) -> bool:
        """Whether another network's state has the same means and stds, but for rounding."""
        pairs = [("mean", "std")] if self.spec.classes is not None else [("mean", "std"), ("target_mean", "target_std")]
        for mean, std in pairs:
            own, scale = (getattr(self, name).cpu() for name in (mean, std))
            shifted, stretched = (other[mean].to(own) - own) / scale, other[std].to(own) / scale - 1
            if not all(bool(change.abs().amax() <= SAME_STATISTICS) for change in (shifted, stretched)):  # NaN isn't
                return False
        return True

    def logits(self, samples: Tensor) -> Tensor:
        """Logits (batch, outputs) of raw samples (batch, *sample_shape); an image's only channel may be left out.

        A regression's are its values in stds of the targets, from their mean: what training compares.
        """
        return self.mean_of_members(self.member_logits(samples))

    def member_logits(self, samples: Tensor) -> Tensor:
        """The logits of each member (batch, members, outputs) of raw samples; without members those of the network."""
        logits: Tensor = self.layers(self.encoded(samples))
        return logits

    def encoded(self, samples: Tensor) -> Tensor:
        """What the layers take, (batch, *sample_shape) or (batch, features), of raw samples."""
        x = samples.reshape(samples.shape[0], *self.spec.sample_shape).to(self.mean.dtype)  # (batch, *sample_shape)
        if self.rows is None:
            return (x - self.mean) / self.std if self.bins is None else self.bins(x)
        numbers, slots = self.rows(x)  # (batch, numbers), (batch, slots)
        features = (numbers - self.mean) / self.std if self.bins is None else self.bins(numbers)
        return torch.cat([features, slots], 1)

    def mean_of_members(self, logits: Tensor) -> Tensor:
        """The logits (batch, outputs) that the members' (batch, members, outputs) make together."""
        members = self.settings.members
        return mean_of_members(logits, self.spec.classes is not None, members) if members > 1 else logits

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
