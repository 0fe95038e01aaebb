"""Steps on a GPU that isn't there: torch's fake tensors have its device and no memory, and refuse what a GPU would.

They know shapes, dtypes and devices. An operation on tensors of two devices raises, and so does asking for a value, as
``item()`` does, for which a GPU would have to finish its work. What a kernel computes, they can't show: tests/gpu does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils._python_dispatch import TorchDispatchMode

from litmlp import MLP
from litmlp.tasks.loader import Batch, BatchLoader
from litmlp.training.metrics import UPDATE_EVERY
from tests.conftest import spec_of

GPU = torch.device("cuda", 0)
IMAGE, NUMBERS = (1, 12, 12), (5,)
BATCH, SAMPLES = 16, 40
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "linear": {"hidden": []},
    "dropout": {"dropout": 0.3},
    "batch norm": {"batch_norm": True},
    "convolutions": {"conv": [4, 8]},
    "smoothed labels": {"label_smoothing": 0.1},
    "deformed": {
        "augment": {"rotation": 10, "shift": 1, "elastic": 1, "scale": 0.1, "shear": 5, "flip": 0.5, "erase": 0.5}
    },
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01},
    "sgd": {"optimizer": "sgd", "weight_decay": 0.01},
    **{f"activation {name}": {"activation": name} for name in ("relu", "gelu", "silu", "tanh", "sigmoid")},
    "everything": {"dropout": 0.3, "batch_norm": True, "conv": [4], "augment": {"elastic": 1, "erase": 0.3}},
}


class Watch(TorchDispatchMode):
    """Notes which operations copy from a device to another, and which give numbers of double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[str] = []
        self.doubles: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and look at what comes in and out."""
        result = func(*args, **(kwargs or {}))
        given = {tensor.device.type for tensor in tensors_in(args)}
        for tensor in tensors_in([result]):
            if given and tensor.device.type not in given:
                self.copies.append(str(func))
            if tensor.dtype == torch.float64:
                self.doubles.append(str(func))
        return result


def tensors_in(values: Any) -> Iterator[Tensor]:
    """The tensors in lists of lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


@pytest.fixture
def fake() -> FakeTensorMode:
    """Where it is entered, all new tensors are fake ones."""
    return FakeTensorMode()


def to_fake(module: nn.Module, fake: FakeTensorMode) -> None:
    """Put fake tensors on the GPU in place of what ``to`` moves: parameters, buffers, and the sums of metrics."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with fake:
        module._apply(lambda tensor: torch.zeros(tensor.shape, dtype=tensor.dtype, device=GPU))
    torch.__future__.set_overwrite_module_params_on_conversion(before)


def make_model(settings: dict[str, Any], regression: bool = False) -> MLP:
    """A model with samples of the kind that its settings need."""
    shape = IMAGE if settings.get("conv") or settings.get("augment") else NUMBERS
    return MLP(spec_of(*shape, outputs=3, regression=regression), **{"hidden": [8, 8], **settings})


def model_and_loader(
    fake: FakeTensorMode, settings: dict[str, Any], regression: bool = False
) -> tuple[MLP, BatchLoader]:
    """A model on the GPU, and its training samples there."""
    model = make_model(settings, regression)
    shape = model.spec.sample_shape
    to_fake(model, fake)
    with fake:
        samples = torch.zeros(SAMPLES, *shape, dtype=torch.uint8 if len(shape) == 3 else torch.float32)
        targets = torch.zeros(SAMPLES, 3) if regression else torch.zeros(SAMPLES, dtype=torch.int64)
        return model, BatchLoader(samples, targets, BATCH, seed=0).to(GPU)


@contextmanager
def autocast(precision: str) -> Iterator[None]:
    """What the Trainer wraps a step in: ``torch.autocast``, which needs a real GPU to be switched on."""
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", precision == "bf16-mixed")
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)
        torch.clear_autocast_cache()


def step(model: MLP, batch: Batch, optimizer: torch.optim.Optimizer, precision: str = "32-true") -> None:
    """One step, as the Trainer makes it, with gradients from nowhere: the engine that makes them needs a real GPU."""
    with autocast(precision):
        assert model.training_step(batch, 0).device == GPU
    optimizer.zero_grad()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if model.optimizer != "sgd":  # whose fused kernel fake tensors don't know
        optimizer.step()


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_step_stays_on_its_device(name: str, regression: bool, precision: str, fake: FakeTensorMode) -> None:
    model, loader = model_and_loader(fake, CONFIGURATIONS[name], regression)
    model.train()
    with fake:
        optimizer, _ = model.optimizer_and_scheduler(100)
        batches = list(loader)  # gathered there, in an order that was copied there once
        assert [len(batch.samples) for batch in batches] == [16, 16, 8]
        step(model, batches[0], optimizer, precision)  # makes the optimizer's state
        with Watch() as seen:
            for batch in batches[1:]:
                step(model, batch, optimizer, precision)
    assert (seen.copies, seen.doubles) == ([], [])
    kept = [model.parameters(), model.buffers(), (p.grad for p in model.parameters()), *model.train_metrics.pending]
    states = [state.values() for state in optimizer.state.values()]
    tensors = list(tensors_in([list(values) for values in (*kept, *states)]))
    assert len(tensors) > 10
    assert {tensor.device for tensor in tensors} == {GPU}


@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_gradients_come_to_every_parameter_on_its_device(name: str, regression: bool) -> None:
    """On the meta device, whose tensors have no values either, but which the engine knows; images take no gradients."""
    settings = {key: value for key, value in CONFIGURATIONS[name].items() if key != "augment"}
    model = make_model(settings, regression).to("meta")
    samples = torch.zeros(BATCH, *model.spec.sample_shape, device="meta")
    targets = torch.zeros((BATCH, 3) if regression else BATCH, dtype=None if regression else torch.int64, device="meta")
    model.training_step(Batch(samples, targets), 0).backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and gradient.is_meta for gradient in gradients)


@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
def test_metrics_are_summed_without_waiting_for_the_device(regression: bool, fake: FakeTensorMode) -> None:
    metrics = model_and_loader(fake, {}, regression)[0].train_metrics
    rows = UPDATE_EVERY // 2
    with fake, Watch() as seen:
        loss, logits = torch.zeros((), device=GPU), torch.zeros(rows, 3, device=GPU)
        targets = torch.zeros_like(logits) if regression else torch.zeros(rows, dtype=torch.int64, device=GPU)
        for _ in range(2):
            metrics.collect(loss, logits, targets)
    assert metrics.pending == []
    assert seen.copies == ([] if regression else ["aten._to_copy.default"])  # the sizes of the batches
    assert seen.doubles == []
    with fake:
        progress = metrics.progress()
        assert {sum_.device.type for sums in progress["sums"] for sum_ in sums.values()} == {"cpu"}
        metrics.restore(progress, GPU)
    states = [state for metric in metrics.metrics for state in metric.metric_state.values()]
    assert {state.device for state in states if isinstance(state, Tensor)} == {GPU}


def test_weights_are_averaged_on_the_device(fake: FakeTensorMode) -> None:
    network = make_model({"batch_norm": True}).network
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=False)
    for module in (network, average):
        to_fake(module, fake)
    pairs = (list(average.module.parameters()), list(network.parameters()))
    with fake, torch.no_grad(), Watch() as seen:
        get_ema_multi_avg_fn(0.9)(*pairs, average.n_averaged)
    assert seen.copies == []
    assert {tensor.device for tensor in average.state_dict().values()} == {GPU}
    with fake, pytest.raises(DataDependentOutputException):  # torch asks whether it is the first average
        average.update_parameters(network)


@pytest.mark.parametrize("seed", [0, None], ids=["training", "evaluation"])
def test_batches_of_data_that_stay_on_the_host_come_to_the_device(seed: int | None, fake: FakeTensorMode) -> None:
    with fake:
        loader = BatchLoader(torch.zeros(SAMPLES, 5), torch.zeros(SAMPLES, dtype=torch.int64), BATCH, seed)
        loader.device = GPU
        for batch in loader:
            assert {batch.samples.device, batch.targets.device} == {GPU}
    assert loader.samples.device.type == "cpu"


@pytest.mark.parametrize("regression", [False, True], ids=["classes", "regression"])
def test_what_is_answered_stays_on_the_device(regression: bool, fake: FakeTensorMode) -> None:
    model, loader = model_and_loader(fake, {"conv": [4]}, regression)
    model.eval()
    with fake, torch.no_grad():
        for batch in loader:
            assert model.predict_step(batch, 0).device == GPU
            model.validation_step(batch, 0)
            model.test_step(batch, 0)


def test_a_tensor_on_the_wrong_device_is_found(fake: FakeTensorMode) -> None:
    model, loader = model_and_loader(fake, {"dropout": 0.3})
    with fake:
        model.network.mean = model.network.mean.cpu()
        with pytest.raises(RuntimeError, match="found at least two devices, cuda:0 and cpu"):
            model.training_step(next(iter(loader)), 0)


def test_so_is_a_wait_for_the_device(fake: FakeTensorMode) -> None:
    model, loader = model_and_loader(fake, {})
    with fake, pytest.raises(DataDependentOutputException):
        model.training_step(next(iter(loader)), 0).item()


def test_what_a_resume_point_holds_of_an_epoch_comes_to_the_device_that_trains(fake: FakeTensorMode) -> None:
    """The Trainer restores a model while it is still on the CPU, and moves it then."""
    model = make_model({})
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    model.trainer = trainer
    assert isinstance(trainer.strategy, SingleDeviceStrategy)
    trainer.strategy._root_device = GPU
    sums = model.train_metrics.progress()["sums"]
    with fake:
        pending = [[torch.zeros(()), torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64)]]
        fake_sums = [{name: torch.zeros(value.shape, dtype=value.dtype) for name, value in one.items()} for one in sums]
        model.on_load_checkpoint({"state_dict": {}, "train_metrics": [{"pending": pending, "sums": fake_sums}]})
    assert {tensor.device for tensor in model.train_metrics.pending[0]} == {GPU}
