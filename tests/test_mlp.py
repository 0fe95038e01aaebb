import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from litmlp import MLP, UsageError
from litmlp.model.dropout import Dropout
from litmlp.model.statistics import Statistics
from tests.conftest import spec_of


def make(*sample_shape: int, outputs: int = 3, regression: bool = False, **settings) -> MLP:
    torch.manual_seed(0)
    return MLP(spec_of(*(sample_shape or (2,)), outputs=outputs, regression=regression), **settings)


@pytest.mark.parametrize("hidden", [[], [5], [5, 4], [7] * 10])
def test_the_layers_are_those_asked_for(hidden):
    model = make(1, 2, 3, outputs=4, hidden=hidden, activation="tanh", dropout=0.5, batch_norm=True)
    linear = [(layer.in_features, layer.out_features) for layer in model.network.layers if isinstance(layer, nn.Linear)]
    assert linear == list(pairwise([6, *hidden, 4]))
    after_each = [nn.Linear, nn.BatchNorm1d, nn.Tanh, Dropout]
    assert [type(layer) for layer in model.network.layers] == [nn.Flatten, *after_each * len(hidden), nn.Linear]


def test_conv_and_hidden_make_the_courses_net():
    model = make(1, 32, 32, outputs=10, conv=[6, 16], hidden=[120, 84])
    shapes = [tuple(parameter.shape) for parameter in model.parameters()]
    assert shapes == [
        (6, 1, 3, 3), (6,), (16, 6, 3, 3), (16,), (120, 16 * 6 * 6), (120,), (84, 120), (84,), (10, 84), (10,),
    ]  # fmt: skip
    x = torch.randn(2, 1, 32, 32)
    conv1, conv2, fc1, fc2, fc3 = (layer for layer in model.network.layers if hasattr(layer, "weight"))
    features = functional.max_pool2d(conv1(x).relu(), (2, 2))
    features = functional.max_pool2d(conv2(features).relu(), 2).view(2, -1)
    assert torch.equal(model(x), fc3(fc2(fc1(features).relu()).relu()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_drops_where_the_random_bits_are_low_and_scales_the_rest(dtype):
    activations = torch.ones(101, 7, dtype=dtype, requires_grad=True)  # 707 of them: no multiple of the 4 in a word
    torch.manual_seed(5)
    dropped = Dropout(0.25)(activations)
    (gradient,) = torch.autograd.grad(dropped.sum(), activations)
    torch.manual_seed(5)
    words = torch.empty(177, dtype=torch.int64).random_(-(2**63), None)
    bits = [word >> shift & 0xFFFF for word in words.tolist() for shift in (0, 16, 32, 48)]
    low = torch.tensor([(number + 2**15) % 2**16 < 2**14 for number in bits])  # two's complement: -2^15 comes first
    expected = torch.where(low[:707].view(101, 7), 0.0, 4 / 3).to(dtype)
    assert torch.equal(dropped, expected)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("probability", [0.001, 0.1, 0.5, 0.9])
def test_dropout_drops_with_its_probability_and_keeps_the_mean(probability):
    torch.manual_seed(0)
    dropped = Dropout(probability)(torch.ones(1000, 1000))
    std = math.sqrt(probability * (1 - probability) / 1e6)
    assert abs((dropped == 0).double().mean().item() - probability) < 4 * std
    assert abs(dropped.double().mean().item() - 1) < 4 * std / (1 - probability)


def test_dropout_of_nearly_all_keeps_one_in_65536_and_evaluation_drops_nothing():
    torch.manual_seed(0)
    activations = torch.ones(1000, 1000)
    dropout = Dropout(0.999999)
    assert dropout(activations).unique().tolist() == [0, 2**16]
    assert dropout.eval()(activations) is activations


def test_raw_samples_are_standardised_whatever_their_form():
    model = make(1, 2, 2, outputs=1, regression=True, hidden=[]).eval()
    model.network.standardise(Statistics(torch.tensor([[[10.0]]]), torch.tensor([[[4.0]]])))
    weight, bias = model.parameters()
    raw = torch.tensor([[[2, 6], [10, 14]], [[255, 0], [0, 255]]], dtype=torch.uint8)  # (2, 2, 2)
    expected = functional.linear((raw.float().view(2, 4) - 10) / 4, weight, bias)
    for samples in (raw, raw.view(2, 1, 2, 2), raw.view(2, 4), raw.float()):
        torch.testing.assert_close(model(samples), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn])
def test_statistics_are_compared_across_types(dtype):
    network = MLP(spec_of(2, outputs=2)).network
    network.standardise(Statistics(torch.tensor([0.5, 2.0]), torch.tensor([0.25, 4.0])))
    state = {name: value.to(dtype) for name, value in network.state_dict().items()}
    assert network.is_standardised_as(state)
    for name, wrong in (("mean", 0.0), ("std", 4.5), ("std", math.nan)):
        assert not network.is_standardised_as({**state, name: torch.full((2,), wrong).to(dtype)})


def test_samples_of_another_shape_are_refused_not_regrouped():
    with pytest.raises(RuntimeError, match="invalid for input of size 12"):
        make(2)(torch.zeros(3, 4))


def test_labels_are_smoothed_in_training_only():
    model = make(label_smoothing=0.3)
    logits, targets = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    log_p = logits.log_softmax(1)[0]
    torch.testing.assert_close(model.loss(logits, targets), -(0.7 * log_p[0] + 0.3 * log_p.mean()))
    torch.testing.assert_close(model.eval().loss(logits, targets), -log_p[0])


def test_a_regression_has_the_mean_squared_error():
    model = make(outputs=1, regression=True)
    assert model.loss(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [5.0]])) == 5.0


@pytest.mark.parametrize(
    ("name", "kind", "defaults"),
    [
        ("adam", torch.optim.Adam, {}),
        ("adamw", torch.optim.AdamW, {}),
        ("sgd", torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_the_optimizers(name, kind, defaults):
    optimizer, scheduler = make(optimizer=name, lr=0.02, weight_decay=0.1, schedule="cosine").optimizer_and_scheduler(4)
    assert type(optimizer) is kind
    assert optimizer.defaults.items() >= {"lr": 0.02, "weight_decay": 0.1, "fused": True, **defaults}.items()
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.02, 0.01 + 0.01 * math.sqrt(0.5), 0.01, 0.01 - 0.01 * math.sqrt(0.5)])


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("hidden", [[], [8], [8, 8]])
def test_the_loss_at_least_halves(hidden, batch_norm):
    model = make(hidden=hidden, batch_norm=batch_norm, lr=0.05)
    samples = torch.randn(30, 2)
    targets = torch.where(samples[:, 0] > 0, 1, 2)
    optimizer, _ = model.optimizer_and_scheduler(1)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(model.loss(model(samples), targets))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"hidden": [4, 0]}, "--hidden [4, 0]: each width must be from 1 to 2**31 - 1"),
        ({"conv": [-1]}, "--conv [-1]: each width must be from 1 to 2**31 - 1"),
        ({"dropout": 1.0}, "--dropout 1.0: must be from 0 to below 1"),
        ({"label_smoothing": -0.1}, "--label_smoothing -0.1: must be from 0 to below 1"),
        ({"lr": 0.0}, "--lr 0.0: must be a number above 0"),
        ({"lr": math.nan}, "--lr nan: must be a number above 0"),
        ({"lr": math.inf}, "--lr inf: must be a number above 0"),
        ({"weight_decay": -1.0}, "--weight_decay -1.0: must be a number of at least 0"),
        ({"conv": [4]}, "--conv [4] needs images, but a sample of this task has shape (2,)"),
    ],
)
def test_values_out_of_range_name_their_flag(settings, line):
    with pytest.raises(UsageError) as error:
        make(**settings)
    assert str(error.value) == line


def test_convolution_blocks_that_leave_nothing_are_refused():
    with pytest.raises(UsageError, match=r"^--conv \[4, 4, 4\] has too many blocks: nothing is left of \(1, 8, 8\)$"):
        make(1, 8, 8, conv=[4, 4, 4])
