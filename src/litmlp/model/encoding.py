"""Two ways to make a multilayer perceptron strong on numbers: bins of the inputs, and members in one network."""

import math

import torch
from torch import Tensor, nn


class PiecewiseLinear(nn.Module):
    """Encodes each number by how far it has come through each of its bins: 0 before the bin, 1 after it.

    The bins' edges are quantiles of the training values. On top there may be a linear map and ReLU of each number's
    own. Values beyond the training range count as its ends.

    Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", 2022,
    arXiv:2203.05556 (Q-LR).

    Args:
        numbers: how many numbers a sample has.
        bins: of each number at most; where quantiles coincide, there are fewer.
        embedding: numbers that the linear map makes of each number's bins; 0 leaves it out.
    """

    def __init__(self, numbers: int, bins: int, embedding: int) -> None:
        super().__init__()
        self.start = nn.Buffer(torch.zeros(numbers, bins))
        self.slope = nn.Buffer(torch.zeros(numbers, bins))  # 1 / width; 0 for a bin that isn't there
        self.width = numbers * (embedding or bins)
        self.weight: Tensor | None = None
        if embedding:
            bound = 1 / math.sqrt(bins)
            self.weight = nn.Parameter(torch.empty(numbers, bins, embedding).uniform_(-bound, bound))
            self.bias = nn.Parameter(torch.empty(numbers, embedding).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Encoded numbers (batch, numbers · bins or embedding) of numbers (batch, numbers)."""
        place = ((x.unsqueeze(2) - self.start) * self.slope).clamp(0, 1)  # (batch, numbers, bins)
        if self.weight is None:
            return place.flatten(1)
        mapped = torch.bmm(place.transpose(0, 1), self.weight)  # (numbers, batch, embedding)
        return (mapped.transpose(0, 1) + self.bias).relu().flatten(1)


def quantile_bins(values: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """The starts and the slopes of the bins, each (numbers, bins), between quantiles of values (samples, numbers).

    NaN counts as missing. Where quantiles coincide, because one value is frequent, the edges that are left over are
    quantiles of the different values. A number without two different values has no bins: all slopes are 0.
    """
    start, slope = torch.zeros(2, values.shape[1], bins)
    for number, column in enumerate(values.T):
        known = column[~column.isnan()].double().sort().values  # (known values,)
        edges = distinct = known.unique()
        if len(distinct) > bins + 1:
            edges = quantiles(known, bins + 1).unique()
            left_over = bins + 1 - len(edges)
            if left_over > 1:
                edges = torch.cat([edges, quantiles(distinct, left_over + 2)[1:-1]]).unique()
        edges = edges.float().unique()
        start[number, : len(edges) - 1] = edges[:-1]
        slope[number, : len(edges) - 1] = 1 / (edges[1:] - edges[:-1])
    return start, slope


def quantiles(ordered: Tensor, count: int) -> Tensor:
    """So many quantiles (count,) of values (samples,) in ascending order, evenly spread from the first to the last."""
    place = torch.linspace(0, len(ordered) - 1, count, dtype=torch.float64)
    low = place.long()
    return ordered[low].lerp(ordered[(low + 1).clamp(max=len(ordered) - 1)], place - low)


class Members(nn.Module):
    """Copies each sample once for each member of the ensemble, scaled feature by feature by the member's own weights.

    These are 1 or -1 at random in the beginning.

    Source: TabM-mini, Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with
    Parameter-Efficient Ensembling", 2024, arXiv:2410.24210.

    Args:
        members: how many.
        width: features of a sample.
    """

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        # In place, which imports nothing on the meta device; other operations there take a second for sympy.
        self.scale = nn.Parameter(torch.empty(members, width).bernoulli_(0.5).mul_(2).sub_(1))

    def forward(self, x: Tensor) -> Tensor:
        """The members' inputs (batch · members, width) of samples (batch, width)."""
        return (x.unsqueeze(1) * self.scale).flatten(0, 1)


class MemberHeads(nn.Module):
    """A linear layer of each member's own.

    Args:
        members: how many.
        width: features that they take.
        outputs: logits that each gives.
    """

    def __init__(self, members: int, width: int, outputs: int) -> None:
        super().__init__()
        self.members = members
        bound = 1 / math.sqrt(width)
        self.weight = nn.Parameter(torch.empty(members, width, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, members, outputs) of features (batch · members, width)."""
        by_member = x.unflatten(0, (-1, self.members)).transpose(0, 1)  # (members, batch, width)
        return torch.bmm(by_member, self.weight).transpose(0, 1) + self.bias


def mean_of_members(logits: Tensor, classes: bool, members: int) -> Tensor:
    """The ensemble's logits (batch, outputs) of its members' (batch, members, outputs).

    Of classes they are the logarithms of the mean probabilities; of values their mean.
    """
    if not classes:
        return logits.mean(1)
    return logits.log_softmax(2).logsumexp(1) - math.log(members)
