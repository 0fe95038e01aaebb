import math

import pytest
import torch

from litmlp import Network, Settings
from litmlp.model.statistics import Statistics
from litmlp.training.metrics import ClassificationMetrics, RegressionMetrics
from tests.conftest import spec_of

CPU = torch.device("cpu")


def batches(sizes, outputs=3):
    generator = torch.Generator().manual_seed(0)
    for size in sizes:
        logits = torch.randn(size, outputs, generator=generator)
        yield torch.rand((), generator=generator), logits, torch.randint(outputs, (size,), generator=generator)


@pytest.mark.parametrize("sizes", [[1], [64] * 200 + [7], [10_000, 1]])
def test_the_values_are_those_of_all_samples_together(sizes):
    metrics = ClassificationMetrics(3)
    everything = list(batches(sizes))
    for batch in everything:
        metrics.collect(*batch)
    losses, logits, targets = zip(*everything, strict=True)
    mean_loss = sum(float(loss) * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
    correct = (torch.cat(logits).argmax(1) == torch.cat(targets)).sum() / sum(sizes)
    values = metrics.compute_and_reset()
    assert float(values["loss"]) == pytest.approx(mean_loss, rel=1e-6)
    assert float(values["accuracy"]) == float(correct)


def regression(outputs, mean, std):
    network = Network(Settings(spec_of(1, outputs=outputs, regression=True)))
    network.standardise(Statistics(torch.zeros(1), torch.ones(1), torch.tensor(mean), torch.tensor(std)))
    return network


def test_a_regression_is_reported_in_the_units_of_its_targets():
    network = regression(1, [200_000.0], [50_000.0])
    metrics = RegressionMetrics(network)
    targets, values = torch.tensor([[150e3], [250e3], [330e3]]), torch.tensor([[160e3], [240e3], [300e3]])
    for chosen in (slice(0, 2), slice(2, 3)):
        logits = network.standardised_targets(values[chosen])
        metrics.collect(torch.tensor(0.0), logits, targets[chosen])
    found = {name: float(value) for name, value in metrics.compute_and_reset().items()}
    loss = (10e3**2 + 10e3**2 + 30e3**2) / 3
    spread = float((targets - targets.mean()).square().sum())
    expected = {"loss": loss, "rmse": loss**0.5, "mae": 50e3 / 3, "r2": 1 - 3 * loss / spread}
    assert found == pytest.approx(expected, rel=1e-5)


def test_several_outputs_of_different_units_and_a_single_sample():
    network = regression(2, [0.0, 100.0], [1.0, 10.0])
    metrics = RegressionMetrics(network)
    metrics.collect(torch.tensor(0.0), torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 100.0]]))
    found = {name: float(value) for name, value in metrics.compute_and_reset().items()}
    assert found == pytest.approx(
        {"loss": (0.25 + 400) / 2, "rmse": 200.125**0.5, "mae": 10.25, "r2": math.nan}, nan_ok=True
    )


def test_after_computing_the_next_epoch_starts_from_nothing():
    metrics = ClassificationMetrics(3)
    first, second = batches([5, 9])
    metrics.collect(*first)
    metrics.compute_and_reset()
    metrics.collect(*second)
    assert float(metrics.compute_and_reset()["loss"]) == pytest.approx(float(second[0]))


@pytest.mark.parametrize("interrupted_after", [1, 100, 128, 129, 199])
def test_an_interrupted_epoch_reports_the_very_same_values(interrupted_after):
    whole, before, after = (ClassificationMetrics(3) for _ in range(3))
    for number, batch in enumerate(batches([64] * 200)):
        whole.collect(*batch)
        (before if number < interrupted_after else after).collect(*batch)
        if number + 1 == interrupted_after:
            after.restore(before.progress(), CPU)
    assert after.compute_and_reset() == whole.compute_and_reset()
