"""What standardising takes: the mean and std of the training samples."""

import torch
from torch import Tensor


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
    count = samples.numel() // samples.shape[1]
    total = torch.zeros(samples.shape[1], dtype=torch.float64)  # (features or channels,)
    total_of_squares = torch.zeros_like(total)
    for part in samples.split(chunk):
        values = part.double()
        total += values.sum(averaged)
        total_of_squares += values.square().sum(averaged)
    mean = total / count
    std = (total_of_squares / count - mean.square()).clamp(min=0).sqrt()
    std[std <= 1e-6 * mean.abs()] = 1.0
    shape = (-1, *[1] * (samples.dim() - 2))
    return mean.float().view(shape), std.float().view(shape)
