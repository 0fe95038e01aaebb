"""Bins, members and the columns of rows: what a network makes of them, number by number."""

import math
from datetime import date, timedelta

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from litmlp import MLP, Network, Settings, Spec, UsageError
from litmlp.model.columns import Column, RowEncoder, TableForm, date_parts
from litmlp.model.encoding import MemberHeads, Members, PiecewiseLinear, mean_of_members, quantile_bins
from litmlp.model.statistics import statistics_of

NAN = float("nan")
TABLE = TableForm(
    (
        Column("rooms", "number"),
        Column("town", "category", categories=("Bonn", "Ulm")),
        Column("built", "date", form="%Y-%m-%d"),
    ),
    "price",
)
# rooms, town (0 Bonn, 1 Ulm, 2 another one), days since 1970
ROWS = torch.tensor([[2.0, 0.0, 0.0], [4.0, 1.0, 31.0], [9.0, NAN, 365.0], [NAN, 0.0, NAN]])


def row_spec(outputs: int = 1, classes: tuple[str, ...] | None = None) -> Spec:
    return Spec("table", (3,), outputs, classes, kind="row", table=TABLE)


def test_bins_lie_between_quantiles_and_place_each_number():
    values = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, NAN]).unsqueeze(1)
    start, slope = quantile_bins(values, 2)  # the median of the eight known ones is 3.5
    assert start.tolist() == [[0.0, 3.5]]
    assert slope.tolist() == [[pytest.approx(1 / 3.5), pytest.approx(1 / 6.5)]]
    encode = PiecewiseLinear(1, 2, embedding=0)
    encode.start.copy_(start)
    encode.slope.copy_(slope)
    encoded = encode(torch.tensor([[-5.0], [1.75], [3.5], [6.75], [99.0]]))
    torch.testing.assert_close(encoded, torch.tensor([[0.0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1]]))


def test_quantiles_that_coincide_make_fewer_bins_and_a_constant_makes_none():
    mostly_zero = [0.0] * 90 + [float(value) for value in range(1, 11)]
    start, slope = quantile_bins(torch.tensor([[value, 7.0] for value in mostly_zero]), 4)
    # The quarters are 0, 0, 0, 0 and 10; the three edges that are left over are those of the different values 0 to 10.
    assert start[0].tolist() == [0.0, 2.5, 5.0, 7.5]
    assert slope[0].tolist() == pytest.approx([0.4] * 4)
    assert slope[1].tolist() == [0.0] * 4
    encode = PiecewiseLinear(2, 4, embedding=0)
    encode.start.copy_(start)
    encode.slope.copy_(slope)
    assert encode(torch.tensor([[5.0, 7.0], [0.0, 3.0]])).sum(1).tolist() == [2.0, 0.0]


def test_few_different_values_have_a_bin_between_each_two():
    start, slope = quantile_bins(torch.tensor([[0.0]] * 90 + [[1.0]] * 9 + [[5.0]]), 4)
    assert start.tolist() == [[0.0, 1.0, 0.0, 0.0]]
    assert slope.tolist() == [[1.0, 0.25, 0.0, 0.0]]


def test_each_number_has_a_linear_map_of_its_own():
    torch.manual_seed(0)
    encode = PiecewiseLinear(3, 4, embedding=5)
    encode.start.copy_(torch.arange(4.0).repeat(3, 1))
    encode.slope.fill_(1.0)
    x = torch.rand(6, 3) * 4
    assert encode.weight is not None
    place = (x.unsqueeze(2) - torch.arange(4.0)).clamp(0, 1)  # (6, 3, 4)
    expected = torch.stack(
        [(place[:, number] @ encode.weight[number] + encode.bias[number]).relu() for number in range(3)], 1
    )
    torch.testing.assert_close(encode(x), expected.flatten(1))


def test_members_are_networks_that_share_their_layers():
    torch.manual_seed(0)
    spec = Spec("points", (2,), 3, ("a", "b", "c"))
    network = Network(Settings(spec, hidden=(5,), members=4)).eval()
    samples = torch.randn(7, 2)
    _, scale, linear, _, heads = network.layers
    assert isinstance(scale, Members)
    assert isinstance(heads, MemberHeads)
    by_hand = torch.stack(
        [
            linear(samples * scale.scale[member]).relu() @ heads.weight[member] + heads.bias[member]
            for member in range(4)
        ],
        1,
    )  # (7, 4, 3)
    torch.testing.assert_close(network.member_logits(samples), by_hand)
    torch.testing.assert_close(network.probabilities(samples), by_hand.softmax(2).mean(1))


def test_the_loss_is_the_mean_of_the_members_losses_and_the_answer_their_mean():
    torch.manual_seed(0)
    model = MLP(Spec("points", (2,), 1), hidden=[5], members=3)
    samples, targets = torch.randn(6, 2), torch.randn(6, 1)
    of_members = model.network.member_logits(samples)  # (6, 3, 1)
    losses = [functional.mse_loss(of_members[:, member], targets) for member in range(3)]
    torch.testing.assert_close(model.loss(of_members, targets), torch.stack(losses).mean())
    torch.testing.assert_close(model(samples), of_members.mean(1))
    logits = torch.randn(5, 3, 4)
    torch.testing.assert_close(mean_of_members(logits, True, 3).softmax(1), logits.softmax(2).mean(1))


def test_without_bins_and_members_nothing_is_there():
    spec = Spec("points", (2,), 1)
    assert [type(layer).__name__ for layer in Network(Settings(spec, hidden=(5,))).layers] == [
        "Flatten", "Linear", "ReLU", "Linear",
    ]  # fmt: skip
    assert set(Network(Settings(spec, hidden=())).state_dict()) == {
        "mean", "std", "target_mean", "target_std", "layers.1.weight", "layers.1.bias",
    }  # fmt: skip


def test_bins_are_for_numbers_only():
    with pytest.raises(UsageError, match=r"^--bins 8 is for numbers, but a sample of this task has shape \(1, 8, 8\)$"):
        Settings(Spec("digits", (1, 8, 8), 10, tuple("0123456789"), kind="image"), bins=8)


@given(st.dates(), st.integers(0, 23))
def test_the_parts_of_a_date_are_those_of_the_calendar(day: date, hour: int):
    days = (day - date(1970, 1, 1)).days
    moment = torch.tensor([[days + hour / 24]], dtype=torch.float64)
    assert date_parts(moment)[0, 1:].tolist() == [day.year, day.month, day.weekday(), hour]


def test_a_date_of_the_present_keeps_its_hour_in_float32():
    start = date(2024, 2, 28)
    for hours in range(0, 24 * 400, 7):
        moment = start + timedelta(hours=hours // 24 * 24)
        days = torch.tensor([[(moment - date(1970, 1, 1)).days + hours % 24 / 24]], dtype=torch.float32)
        assert date_parts(days)[0, 1:].tolist() == [moment.year, moment.month, moment.weekday(), hours % 24]


def test_rows_become_numbers_without_gaps_and_slots():
    encoder = RowEncoder(TABLE)
    assert (encoder.numbers, encoder.slots) == (6, 6)  # rooms and 5 of the date; rooms, 2 + 2 of the town, the date
    statistics = statistics_of(Settings(row_spec()), ROWS, torch.zeros(4, 1))
    assert statistics.fill is not None
    assert statistics.seen is not None
    assert statistics.fill.tolist() == [4.0, 31.0, 1970.0, 1.0, 4.0, 0.0]  # medians, the lower of two
    assert statistics.seen.tolist() == [1, 1, 1, 0, 1, 1]  # no training row has another town
    encoder.fill.copy_(statistics.fill)
    encoder.seen.copy_(statistics.seen)
    numbers, slots = encoder(ROWS)
    assert numbers[:, :2].tolist() == [[2, 0], [4, 31], [9, 365], [4, 31]]
    assert slots.tolist() == [  # rooms missing; Bonn, Ulm, other, missing; built missing
        [0, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
    unseen = encoder(torch.tensor([[2.0, 2.0, 0.0]]))[1]
    assert unseen.tolist() == [[0, 0, 0, 0, 0, 0]], "weights that nothing has trained aren't used"


def test_a_network_of_rows_takes_gaps_and_what_it_has_never_seen():
    torch.manual_seed(0)
    settings = Settings(row_spec(2, ("no", "yes")), hidden=(4,), bins=3, embedding=2, members=2)
    network = Network(settings)
    network.standardise(statistics_of(settings, ROWS, torch.tensor([0, 1, 1, 0])))
    strange = torch.tensor([[NAN, NAN, NAN], [1e30, 2.0, -1e6], [-1e30, 2.0, 1e6]])
    probabilities = network.probabilities(strange)
    assert probabilities.isfinite().all()
    assert probabilities.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert math.prod(network.encoded(ROWS).shape) == 4 * (6 * 2 + 6)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ({"name": "", "kind": "number"}, "a column's name ''"),
        ({"name": "a\nb", "kind": "number"}, r"a column's name 'a\\nb'"),
        ({"name": "a", "kind": "text"}, "column a, kind 'text'"),
        ({"name": "a", "kind": "number", "form": "%Y"}, "column a, form '%Y'"),
        ({"name": "a", "kind": "date"}, "column a, form ''"),
        ({"name": "a", "kind": "category"}, r"column a, categories '\(\)'"),
        ({"name": "a", "kind": "category", "categories": ["x", "x"]}, "column a, categories"),
        ({"name": "a", "kind": "category", "categories": ["x"], "typical": 1}, "column a, typical '1'"),
        ({"name": "a", "kind": "number", "low": NAN}, "column a, low 'nan'"),
    ],
)
def test_a_column_that_cant_be_is_refused(column: dict[str, object], wrong: str):
    with pytest.raises(UsageError, match=f"^{wrong}"):
        Column(**column)  # type: ignore[arg-type]


def test_a_spec_of_rows_survives_a_checkpoint():
    settings = Settings(row_spec(), hidden=(4,), bins=5, members=2)
    assert Settings.from_plain(settings.as_plain()) == settings
    older = {name: value for name, value in settings.as_plain().items() if name not in ("bins", "embedding", "members")}
    assert Settings.from_plain(older) == Settings(row_spec(), hidden=(4,))
