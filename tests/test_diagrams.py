"""The charts of numbers: scores by hand, and the pixels that show them."""

import math

import numpy
import pytest
import torch
from PIL import Image

from litmlp.studies.axes import GREY, PALE, SIDE, Plane, number_text, padded, ticks
from litmlp.studies.charts import BLUE, FONT_SIZE, GAP, INK, LINE, PAPER, RED, width_of, write
from litmlp.studies.diagrams import (
    BAR,
    BAR_ROW,
    CELL,
    MOST_BARS,
    PALEST,
    calibration_chart,
    count_text,
    importance_chart,
    predicted_chart,
    roc_chart,
)
from litmlp.studies.scores import balanced_accuracy, calibration_of, roc_of, score_lines


def test_the_roc_curve_by_hand() -> None:
    scores = torch.tensor([0.1, 0.4, 0.35, 0.8])
    roc = roc_of(scores, torch.tensor([False, False, True, True]))
    assert roc is not None
    assert roc.area == 0.75  # of the four pairs three are in the right order
    assert roc.false_positives.tolist() == [0, 0, 0.5, 0.5, 1]
    assert roc.true_positives.tolist() == [0, 0.5, 0.5, 1, 1]


def test_equal_scores_count_as_half_in_order() -> None:
    roc = roc_of(torch.tensor([0.5, 0.5, 0.5, 0.9]), torch.tensor([True, False, False, True]))
    assert roc is not None
    assert roc.area == (2 + 2 * 0.5) / 4
    assert roc.false_positives.tolist() == [0, 0, 1]
    assert roc_of(torch.tensor([0.1, 0.2]), torch.tensor([True, True])) is None
    assert roc_of(torch.tensor([0.1, 0.2]), torch.tensor([False, False])) is None


def test_calibration_by_hand() -> None:
    probabilities = torch.tensor([0.0, 0.05, 0.1, 0.55, 0.59, 0.5, 1.0, math.nan])
    positive = torch.tensor([False, True, False, True, True, False, True, True])
    found = calibration_of(probabilities, positive)
    assert found.counts.tolist() == [2, 1, 0, 0, 0, 3, 0, 0, 0, 1]
    assert found.observed.nan_to_num(nan=-1).tolist() == pytest.approx([0.5, 0, -1, -1, -1, 2 / 3, -1, -1, -1, 1])
    assert float(found.predicted[0]) == pytest.approx(0.025)
    assert float(found.predicted[5]) == pytest.approx((0.55 + 0.59 + 0.5) / 3)


def test_lines_of_two_and_of_imbalanced_classes() -> None:
    matrix = torch.tensor([[8, 2], [1, 1]])
    assert balanced_accuracy(matrix) == pytest.approx(0.65)
    roc = roc_of(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([False, False, True, True]))
    rest = ["test/balanced_accuracy 0.6500", "base rate        0.8333, always no"]
    assert score_lines(matrix, ("no", "yes"), roc) == ["test/auc        0.7500", *rest]
    assert score_lines(matrix, ("no", "yes"), None) == rest
    three = torch.tensor([[5, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert balanced_accuracy(three) == pytest.approx((5 / 6 + 1) / 2)  # the class that isn't there doesn't count
    assert score_lines(three, ("a", "b", "c"), None)[1] == "base rate        0.7500, always a"
    assert score_lines(torch.eye(3).long(), ("a", "b", "c"), None) == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (2.9, 8.1, [3, 4, 5, 6, 7, 8]),
        (-1e5, 1.2e6, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000, 1_200_000]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_numbers_are_short() -> None:
    numbers = (0, 0.2, 1200, 45_000, 1_500_000, 2.5e12, -20_000)
    assert [*map(number_text, numbers)] == ["0", "0.2", "1200", "45k", "1.5M", "2.5e+12", "-20k"]
    counts = (0, 999, 1000, 1234, 9_949, 9_950, 12_345, 999_499, 999_500, 1_234_567)
    assert [*map(count_text, counts)] == [
        *("0", "999", "1.0k", "1.2k", "9.9k", "10k", "12k", "999k", "1.0M", "1.2M"),
    ]
    assert padded(5, 5) == (4.5, 5.5)
    assert padded(0, 0) == (-1e-6, 1e-6)


def shade(share: float) -> tuple[int, ...]:
    alpha = round(255 * share)
    return tuple(round((255 * (255 - alpha) + band * alpha) / 255) for band in BLUE)


def test_predicted_against_true_counts_points_in_bins() -> None:
    targets = torch.tensor([0.0, 10.0, 9.0, *[2.0] * 100])
    predictions = torch.tensor([0.0, 10.0, 1.0, *[8.0] * 100])
    chart = predicted_chart(predictions, targets)
    bounds = padded(0, 10)
    plane = Plane(("true", "predicted"), bounds, bounds)

    def at(true: float, predicted: float) -> tuple[int, ...]:
        """The colour in the middle of the bin that a point is in."""
        places = [int((value - bounds[0]) / (bounds[1] - bounds[0]) * (SIDE // CELL)) for value in (true, predicted)]
        x, y = plane.left + CELL * places[0] + CELL // 2, plane.top + SIDE - CELL * places[1] - CELL // 2
        found = chart.getpixel((x, y))
        assert isinstance(found, tuple)
        return found

    assert at(2, 8) == BLUE
    assert at(9, 1) == pytest.approx(shade(PALEST), abs=1)
    assert at(8.7, 2) == PAPER
    assert chart.getpixel(plane.at((5.3, 5.3))) == INK  # the diagonal
    assert_shows(chart, "predicted", (LINE // 2, plane.top + SIDE // 2), turned=True)
    assert_shows(chart, "true", (plane.left + SIDE // 2, chart.height - LINE // 2 - GAP // 2))


def test_values_that_are_not_finite_have_no_place() -> None:
    targets = torch.tensor([0.0, 1.0, 0.5])
    broken = predicted_chart(torch.tensor([0.0, 1.0, math.nan]), targets)
    assert broken.tobytes() == predicted_chart(torch.tensor([0.0, 1.0]), targets[:2]).tobytes()
    predicted_chart(torch.full((3,), math.inf), targets)


def assert_shows(chart: Image.Image, text: str, middle: tuple[int, int], turned: bool = False) -> None:
    """Check that a chart has the text there, on white, and nothing else."""
    paper = Image.new("RGB", chart.size, PAPER)
    write(paper, text, middle, turned=turned)
    across, down = (LINE, width_of(text)) if turned else (width_of(text), LINE)
    box = (middle[0] - across // 2, middle[1] - down // 2, middle[0] + across // 2, middle[1] + down // 2)
    assert chart.crop(box).tobytes() == paper.crop(box).tobytes()


def test_the_roc_chart_passes_through_its_points() -> None:
    roc = roc_of(torch.tensor([0.1, 0.4, 0.35, 0.8]), torch.tensor([False, False, True, True]))
    assert roc is not None
    chart = roc_chart(roc, "yes")
    plane = Plane(("false positive rate", "true positive rate"), (0, 1), (0, 1))
    for point in [(0, 0.3), (0.25, 0.5), (0.5, 0.7), (0.75, 1)]:
        assert chart.getpixel(plane.at(point)) == BLUE
    assert chart.getpixel(plane.at((0.3, 0.3))) == GREY
    assert chart.getpixel(plane.at((0.9, 0.5))) == PAPER
    assert chart.getpixel(plane.at((0.2, 0.9))) == PALE  # the grid
    x, y = plane.at((1, 0))
    for row, text in enumerate(("AUC 0.7500", "class yes")):
        blank = Image.new("RGB", chart.size, PAPER)
        write(blank, text, (x - 2 * GAP, y - 2 * LINE - LINE // 2 + LINE * row), right=True)
        letters = numpy.asarray(blank).sum(2) < 300  # dark: all bands together
        assert letters.any()
        assert (numpy.asarray(chart).sum(2)[letters] < 300).all()


def test_the_calibration_chart_has_a_dot_and_a_count_of_each_bin() -> None:
    probabilities = torch.tensor([0.05, 0.05, 0.95, 0.95, 0.95])
    chart = calibration_chart(calibration_of(probabilities, torch.tensor([0, 1, 1, 1, 0]) == 1), "yes")
    plane = Plane(("", ""), (0, 1), (0, 1), below=LINE)
    for point in [(0.05, 0.5), (0.95, 2 / 3), (0.5, 0.5 + (2 / 3 - 0.5) / 2)]:
        assert chart.getpixel(plane.at(point)) == BLUE
    for index, count in {0: "2", 2: "0"}.items():
        x, y = plane.at(((index + 0.5) / 10, 0))
        assert_shows(chart, count, (x, y + LINE + LINE // 2))


def test_bars_of_importance() -> None:
    chart = importance_chart(["first", "a name that is too long", "worse"], [0.4, 0.1, -0.2], "R²")
    left = width_of("a name that is …") + 2 * GAP
    rows = [LINE + GAP // 2 + BAR_ROW * row + BAR_ROW // 2 for row in range(3)]
    for y, length, colour in zip(rows, (BAR, BAR // 4, BAR // 2), (BLUE, BLUE, RED), strict=True):
        assert [chart.getpixel((left + x, y)) for x in (0, length - 1, length)] == [colour, colour, PAPER]
    assert_shows(chart, "R2 lost when the column is shuffled", (chart.width // 2, LINE // 2))
    assert_shows(chart, "-0.2000", (left + BAR // 2 + GAP + width_of("-0.2000") // 2, rows[2]))
    many = importance_chart([f"column {n}" for n in range(50)], [1.0] * 50, "accuracy")
    assert many.height == LINE + GAP + BAR_ROW * MOST_BARS
    none = importance_chart(["a"], [-1e-9], "accuracy")
    assert_shows(none, "0.0000", (width_of("a") + 3 * GAP + width_of("0.0000") // 2, rows[0]))


def test_letters_are_readable_in_tensorboard_s_cards() -> None:
    roc = roc_of(torch.tensor([0.1, 0.4]), torch.tensor([False, True]))
    assert roc is not None
    big = torch.linspace(-1e6, 1.23e6, 1000)
    charts = [
        predicted_chart(big, big),
        roc_chart(roc, "yes"),
        calibration_chart(calibration_of(torch.rand(100), torch.rand(100) > 0.5), "a" * 99),
        importance_chart([f"{n}" * 20 for n in range(20)], [-0.1] * 20, "accuracy"),
    ]
    for chart in charts:
        assert FONT_SIZE * min(320 / chart.width, 215 / chart.height) > 8
