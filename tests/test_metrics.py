import pytest
import torch

from litmlp.training.metrics import EpochMetrics

CPU = torch.device("cpu")


def batches(sizes, outputs=3):
    generator = torch.Generator().manual_seed(0)
    for size in sizes:
        logits = torch.randn(size, outputs, generator=generator)
        yield torch.rand((), generator=generator), logits, torch.randint(outputs, (size,), generator=generator)


@pytest.mark.parametrize("sizes", [[1], [64] * 200 + [7], [10_000, 1]])
def test_the_values_are_those_of_all_samples_together(sizes):
    metrics = EpochMetrics(3, "cross_entropy")
    everything = list(batches(sizes))
    for batch in everything:
        metrics.collect(*batch)
    losses, logits, targets = zip(*everything, strict=True)
    mean_loss = sum(float(loss) * size for loss, size in zip(losses, sizes, strict=True)) / sum(sizes)
    correct = (torch.cat(logits).argmax(1) == torch.cat(targets)).sum() / sum(sizes)
    values = metrics.compute_and_reset()
    assert float(values["loss"]) == pytest.approx(mean_loss, rel=1e-6)
    assert float(values["accuracy"]) == float(correct)


def test_r2():
    metrics = EpochMetrics(1, "mse")
    metrics.collect(torch.tensor(0.5), torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]]))
    metrics.collect(torch.tensor(4.0), torch.tensor([[6.0]]), torch.tensor([[8.0]]))
    values = metrics.compute_and_reset()
    assert float(values["r2"]) == pytest.approx(1 - (1 + 4) / (9 + 1 + 16))
    assert float(values["loss"]) == pytest.approx((2 * 0.5 + 4) / 3)


def test_after_computing_the_next_epoch_starts_from_nothing():
    metrics = EpochMetrics(3, "cross_entropy")
    first, second = batches([5, 9])
    metrics.collect(*first)
    metrics.compute_and_reset()
    metrics.collect(*second)
    assert float(metrics.compute_and_reset()["loss"]) == pytest.approx(float(second[0]))


@pytest.mark.parametrize("interrupted_after", [1, 100, 128, 129, 199])
def test_an_interrupted_epoch_reports_the_very_same_values(interrupted_after):
    whole, before, after = (EpochMetrics(3, "cross_entropy") for _ in range(3))
    for number, batch in enumerate(batches([64] * 200)):
        whole.collect(*batch)
        (before if number < interrupted_after else after).collect(*batch)
        if number + 1 == interrupted_after:
            after.restore(before.progress(), CPU)
    assert after.compute_and_reset() == whole.compute_and_reset()
