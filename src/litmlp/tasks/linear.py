"""A linear model on the same features: the mark that a network has to beat."""

from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from litmlp.model.network import Network

MOST_ROWS = 100_000  # that it is fitted on
MOST_WORK = 200_000_000  # rows x classes x (features + SOFTMAX) of a step, of which there are up to 125: 0.07 s each
SOFTMAX = 64  # features whose products take as long as the softmax
ROWS_AT_ONCE = 4_096  # that are answered
MOST_PRODUCTS = 10**11  # of a regression: rows x features x whichever are fewer: 2 s on two cores
PENALTY = 1e-4


class Linear(NamedTuple):
    """A linear model of a network's encoded samples.

    Attributes:
        network: encodes samples; its layers aren't used.
        weight: (features + 1, outputs), the last row is the bias.
    """

    network: Network
    weight: Tensor

    def __call__(self, samples: Tensor) -> Tensor:
        """Logits, or a regression's values in the units of its targets (samples, outputs), of raw samples."""
        logits = torch.cat([features_of(self.network, part) @ self.weight for part in samples.split(ROWS_AT_ONCE)])
        return self.network.in_units(logits.float())

    def accuracy(self, samples: Tensor, targets: Tensor) -> float:
        """The fraction of raw samples whose class (samples,) it answers."""
        parts = zip(samples.split(ROWS_AT_ONCE), targets.split(ROWS_AT_ONCE), strict=True)
        return sum(int((self(part).argmax(1) == known).sum()) for part, known in parts) / len(samples)


def fit_linear(network: Network, samples: Tensor, targets: Tensor) -> Linear:
    """Ridge or logistic regression on training samples, without randomness.

    Args:
        network: without bins, with the statistics of the samples.
        samples: (samples, *sample_shape); of more than 100,000 every n-th is taken, and of fewer where features and
            classes are so many that it would take over ten seconds.
        targets: class indices (samples,) or values (samples, outputs).
    """
    step = -(-len(samples) // most_rows(network, features_of(network, samples[:1]).shape[1]))
    x, targets = features_of(network, samples[::step]), targets[::step]
    if network.spec.classes is None:
        return Linear(network, ridge(x, network.standardised_targets(targets).to(x.dtype)))
    weight = torch.zeros(x.shape[1], network.spec.outputs, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=100, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(x @ weight, targets) + PENALTY * weight.square().sum()
        loss.backward()
        return float(loss.detach())

    with torch.enable_grad():
        optimizer.step(closure)
    return Linear(network, weight.detach())


def most_rows(network: Network, features: int) -> int:
    """How many rows the model is fitted on at most."""
    if network.spec.classes is None:
        most = max(MOST_PRODUCTS // features**2, isqrt(MOST_PRODUCTS // features))
    else:
        most = MOST_WORK // (network.spec.outputs * (features + SOFTMAX))
    return min(MOST_ROWS, max(1, most))


def ridge(x: Tensor, y: Tensor) -> Tensor:
    """The weights (features, outputs) of a ridge regression of y (rows, outputs) on x (rows, features)."""
    rows, features = x.shape
    penalty = PENALTY * rows * torch.eye(min(rows, features), dtype=x.dtype)
    solved: Tensor
    if rows < features:  # the same solution, of a smaller system
        solved = x.T @ torch.linalg.solve(x @ x.T + penalty, y)
    else:
        solved = torch.linalg.solve(x.T @ x + penalty, x.T @ y)
    return solved


def features_of(network: Network, samples: Tensor) -> Tensor:
    """Encoded samples and a constant (samples, features + 1), as float64."""
    with torch.no_grad():
        x = network.encoded(samples).flatten(1).double()
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
