"""BatchLoader, for every number of samples, batch size, number of processes, epoch and place in it."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from litmlp.model.statistics import mean_and_std
from litmlp.tasks.loader import Batch, BatchLoader

settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")

SAMPLES, BATCH_SIZES, WORLD_SIZES = st.integers(1, 70), st.integers(1, 17), st.integers(1, 5)
SEEDS, EPOCHS = st.integers(0, 2**32 - 1), st.integers(0, 1000)


def loaders(samples: int, batch_size: int, world_size: int, seed: int | None = None) -> list[BatchLoader]:
    """Each process's loader of ``samples`` samples, which are their own indices, as are their targets."""
    indices = torch.arange(samples)
    return [
        BatchLoader(indices.unsqueeze(1), indices, batch_size, seed, rank, world_size) for rank in range(world_size)
    ]


def steps(processes: list[BatchLoader], epoch: int) -> list[tuple[Batch, ...]]:
    """The batches of an epoch, those of all processes together for each step, as the Trainer asks for them."""
    iterators = [iter(loader) for loader in processes]
    for loader in processes:
        loader.set_epoch(epoch)
    return list(zip(*iterators, strict=True))


def as_lists(batches: list[tuple[Batch, ...]]) -> list[list[tuple[list[int], float]]]:
    """Batches as plain lists, which can be compared."""
    return [[(batch.targets.tolist(), batch.weight) for batch in step] for step in batches]


@given(SAMPLES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS)
def test_training_visits_every_sample_exactly_once_an_epoch(
    samples: int, batch_size: int, world_size: int, seed: int, epoch: int
) -> None:
    processes = loaders(samples, batch_size, world_size, seed)
    epoch_steps = steps(processes, epoch)
    assert [len(loader) for loader in processes] == [len(epoch_steps)] * world_size
    assert len(epoch_steps) == math.ceil(samples / (batch_size * world_size))
    visited = [index for step in epoch_steps for batch in step if batch.weight for index in batch.targets.tolist()]
    assert sorted(visited) == list(range(samples))
    for step in epoch_steps:
        for batch in step:
            assert batch.samples.squeeze(1).tolist() == batch.targets.tolist()
            assert 1 <= len(batch.targets) <= batch_size


@given(SAMPLES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS)
def test_processes_make_the_steps_of_one_with_a_batch_as_large_as_theirs_together(
    samples: int, batch_size: int, world_size: int, seed: int, epoch: int
) -> None:
    several = steps(loaders(samples, batch_size, world_size, seed), epoch)
    one = steps(loaders(samples, batch_size * world_size, 1, seed), epoch)
    together = [sorted(index for batch in step if batch.weight for index in batch.targets.tolist()) for step in several]
    assert together == [sorted(batch.targets.tolist()) for (batch,) in one]


@given(SAMPLES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS, st.data())
def test_a_resumed_epoch_continues_at_its_next_batch(
    samples: int, batch_size: int, world_size: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    processes = loaders(samples, batch_size, world_size, seed)
    undisturbed = as_lists(steps(processes, epoch))
    done = data.draw(st.integers(0, len(undisturbed) - 1), label="batches done")
    interrupted = loaders(samples, batch_size, world_size, seed)
    iterators = [iter(loader) for loader in interrupted]
    for loader, iterator in zip(interrupted, iterators, strict=True):
        loader.set_epoch(epoch)
        for _ in range(done):
            next(iterator)
    resumed = loaders(samples, batch_size, world_size, seed)
    for loader, saved in zip(resumed, interrupted, strict=True):
        loader.load_state_dict(saved.state_dict())
    assert as_lists(steps(resumed, epoch)) == undisturbed[done:]
    assert [loader.state_dict() for loader in resumed] == [{"batches_done": len(undisturbed)}] * world_size
    # The epoch after the resumed one is whole again.
    assert as_lists(steps(resumed, epoch + 1)) == as_lists(steps(processes, epoch + 1))


@given(SAMPLES, BATCH_SIZES, WORLD_SIZES, SEEDS, EPOCHS)
def test_weights_make_the_average_over_processes_the_mean_over_the_step(
    samples: int, batch_size: int, world_size: int, seed: int, epoch: int
) -> None:
    for step in steps(loaders(samples, batch_size, world_size, seed), epoch):
        # A batch's mean of the samples stands for the gradient of its mean loss.
        average = sum(batch.weight * float(batch.targets.double().mean()) for batch in step) / world_size
        of_the_step = torch.cat([batch.targets for batch in step if batch.weight]).double().mean()
        assert math.isclose(average, float(of_the_step), rel_tol=1e-12, abs_tol=1e-12)


@given(SAMPLES, BATCH_SIZES, WORLD_SIZES)
def test_evaluation_sees_each_sample_on_one_process_in_the_stored_order(
    samples: int, batch_size: int, world_size: int
) -> None:
    seen: list[int] = []
    for rank, loader in enumerate(loaders(samples, batch_size, world_size)):
        own = [index for batch in loader for index in batch.targets.tolist()]
        assert own == sorted(own)
        assert all(index % (batch_size * world_size) % world_size == rank for index in own)
        seen += own
    assert sorted(seen) == list(range(samples))


@given(st.integers(2, 40), SEEDS, EPOCHS)
def test_the_order_depends_on_seed_and_epoch_only(samples: int, seed: int, epoch: int) -> None:
    (first,), (second,) = loaders(samples, 1, 1, seed), loaders(samples, 1, 1, seed)
    steps([second], epoch + 1)
    assert as_lists(steps([first], epoch)) == as_lists(steps([second], epoch))


def test_epochs_differ() -> None:
    (loader,) = loaders(100, 100, 1, seed=0)
    orders = {tuple(steps([loader], epoch)[0][0].targets.tolist()) for epoch in range(50)}
    assert len(orders) == 50


@given(
    arrays.arrays("float32", st.tuples(st.integers(2, 50), st.integers(1, 4)), elements=st.floats(-1e3, 1e3, width=32)),
    st.integers(1, 60),
)
def test_mean_and_std_of_features_are_those_of_torch(values: object, chunk: int) -> None:
    samples = torch.as_tensor(values)
    check_mean_and_std(samples, chunk, samples.double())


@given(
    arrays.arrays("uint8", st.tuples(st.integers(1, 9), st.integers(1, 3), st.just(3), st.just(2))), st.integers(1, 9)
)
def test_mean_and_std_of_images_are_those_of_their_channels(values: object, chunk: int) -> None:
    samples = torch.as_tensor(values)  # (n, channels, 3, 2)
    by_channel = samples.double().movedim(1, -1).flatten(0, -2)  # (n * 6, channels)
    check_mean_and_std(samples, chunk, by_channel)


def check_mean_and_std(samples: Tensor, chunk: int, values: Tensor) -> None:
    """Compare with torch's own, of values (n, features or channels); a constant one has std 1."""
    mean, std = mean_and_std(samples, chunk)
    expected = values.std(0, correction=0)
    expected[values.amax(0) == values.amin(0)] = 1.0
    shape = (values.shape[1], *[1] * (samples.dim() - 2))
    torch.testing.assert_close(mean, values.mean(0).float().view(shape), rtol=1e-6, atol=1e-6)
    if bool((expected > 1e-3 * (1 + values.abs().amax(0))).all()):  # below, a difference of squares cancels out
        torch.testing.assert_close(std, expected.float().view(shape), rtol=1e-6, atol=1e-6)
