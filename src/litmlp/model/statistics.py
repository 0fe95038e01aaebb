"""What a network keeps of its training samples: means, stds, quantiles, and which values there were."""

from typing import NamedTuple

import torch
from torch import Tensor

from litmlp.model.columns import RowEncoder
from litmlp.model.encoding import quantile_bins
from litmlp.model.spec import Settings

CHUNK = 65_536  # rows that are encoded together
MOST_FOR_QUANTILES = 1_000_000  # samples; of more, every n-th


class Statistics(NamedTuple):
    """What a network standardises and encodes by.

    Attributes:
        mean: of the training samples, (features,) or (channels, 1, 1).
        std: of the training samples, of the same shape.
        target_mean: of a regression's training targets, (outputs,); None for a classification.
        target_std: of a regression's training targets, (outputs,); None for a classification.
        bins: starts and slopes of the bins of numbers, each (features, bins); None without them.
        fill: of a table, what a missing number is filled with: the median, (features,).
        seen: of a table, which slots were filled by a training row, (slots,) of 0 and 1.
    """

    mean: Tensor
    std: Tensor
    target_mean: Tensor | None = None
    target_std: Tensor | None = None
    bins: tuple[Tensor, Tensor] | None = None
    fill: Tensor | None = None
    seen: Tensor | None = None


def statistics_of(settings: Settings, samples: Tensor, targets: Tensor) -> Statistics:
    """The statistics of training samples (samples, *sample_shape) and their targets, for a network of these settings.

    Quantiles are those of a million samples at most, evenly spread.
    """
    spec = settings.spec
    target_mean, target_std = mean_and_std(targets) if spec.classes is None else (None, None)
    if spec.table is None:
        few = samples[:: -(-len(samples) // MOST_FOR_QUANTILES)] if settings.bins else samples
        bins = quantile_bins(few.float(), settings.bins) if settings.bins else None
        return Statistics(*mean_and_std(samples), target_mean, target_std, bins)
    encoder = RowEncoder(spec.table)
    few = encoder.numbers_of(samples[:: -(-len(samples) // MOST_FOR_QUANTILES)].float())  # (samples, numbers)
    fill = torch.stack([median(column) for column in few.T]) if encoder.numbers else torch.zeros(0)
    encoder.fill.copy_(fill)
    seen = torch.zeros(encoder.slots)
    for rows in samples.split(CHUNK):
        seen = seen.maximum(encoder.slots_of(rows).amax(0))
    bins = quantile_bins(few, settings.bins) if settings.bins else None
    filled = few.where(~few.isnan(), fill)
    return Statistics(*mean_and_std(filled), target_mean, target_std, bins, fill, seen)


def median(values: Tensor) -> Tensor:
    """The median () of the values (samples,) that aren't NaN; 0 if there are none."""
    middle = values.nanmedian()
    return middle.nan_to_num()


def mean_and_std(samples: Tensor, chunk: int = 4096) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the samples, for each feature or, for images, for each channel.

    Sums in float64 over chunks, so that the memory it takes doesn't grow with the number of samples.

    Args:
        samples: (samples, features) or (samples, channels, height, width).
        chunk: samples that are converted at a time.

    Returns:
        Two float32 tensors of shape (features,) or (channels, 1, 1). A constant feature has std 1.
    """
    averaged = [0, *range(2, samples.dim())]
    count = samples.numel() // max(1, samples.shape[1])
    total = torch.zeros(samples.shape[1], dtype=torch.float64)  # (features or channels,)
    total_of_squares = torch.zeros_like(total)
    for part in samples.split(chunk):
        values = part.double()
        total += values.sum(averaged)
        total_of_squares += values.square().sum(averaged)
    mean = total / max(1, count)
    std = (total_of_squares / max(1, count) - mean.square()).clamp(min=0).sqrt()
    std[std <= 1e-6 * mean.abs()] = 1.0
    shape = (-1, *[1] * (samples.dim() - 2))
    return mean.float().view(shape), std.float().view(shape)
