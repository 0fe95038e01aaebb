"""Drawings of any kind are brought to the form of the data's images."""

import numpy
import pytest
import torch
from PIL import Image

from litmlp.errors import Failure
from litmlp.inference.drawings import to_drawing
from litmlp.inference.images import to_values
from litmlp.model.spec import ImageForm
from litmlp.tasks import TASKS
from tests.conftest import drawn

MNIST, DIGITS = TASKS["mnist"].image, TASKS["digits"].image
SHAPE = (1, 28, 28)
L_SHAPE = [[(0.3, 0.2), (0.3, 0.7), (0.6, 0.7)]]


def mnist(picture: Image.Image) -> numpy.ndarray:
    assert MNIST is not None
    sample = to_values(to_drawing(picture, MNIST, SHAPE), MNIST)
    assert (sample.shape, sample.dtype) == (SHAPE, torch.uint8)
    return sample[0].numpy().astype(float)


def test_the_ink_fills_the_box_and_its_mass_is_in_the_middle() -> None:
    image = mnist(drawn(L_SHAPE))
    rows, columns = numpy.flatnonzero(image.max(1)), numpy.flatnonzero(image.max(0))
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 == 13  # 0.3 of the side and a stroke, beside 0.5 and half a stroke
    steps = numpy.arange(28)
    assert (image.sum(1) * steps).sum() / image.sum() == pytest.approx(14, abs=0.5)
    assert (image.sum(0) * steps).sum() / image.sum() == pytest.approx(14, abs=0.5)
    assert image.max() == 255


def test_neither_place_nor_polarity_nor_colour_nor_strength_matter() -> None:
    picture = drawn(L_SHAPE)
    expected = mnist(picture)
    inverted = Image.eval(picture, lambda shade: 255 - shade)
    elsewhere = Image.new("L", (500, 300), 255)
    elsewhere.paste(picture, (290, 77))
    blue_on_yellow = Image.new("RGB", picture.size, (250, 240, 90))
    blue_on_yellow.paste((20, 30, 160), mask=inverted)
    faint = Image.eval(picture, lambda shade: 200 + shade // 10)
    clear = Image.merge("LA", (Image.new("L", picture.size, 0), inverted))  # black ink on nothing
    white_on_clear = Image.merge("LA", (Image.new("L", picture.size, 255), inverted))
    for other in (inverted, elsewhere, blue_on_yellow, faint, clear, white_on_clear):
        assert numpy.abs(mnist(other) - expected).max() <= 1


def test_a_picture_of_the_datas_size_is_taken_as_it_lies() -> None:
    shades = numpy.zeros((28, 28), numpy.uint8)
    shades[2:6, 3] = [10, 255, 128, 40]  # far from the middle
    assert (mnist(Image.fromarray(shades)) == shades).all()
    assert (mnist(Image.fromarray(255 - shades)) == shades).all()


def test_noise_and_light_are_no_ink_and_thin_strokes_are_dilated() -> None:
    picture = numpy.asarray(drawn(L_SHAPE)).astype(float)
    noise = numpy.random.default_rng(0).normal(0, 6, picture.shape)
    light = numpy.linspace(-30, 30, 200)  # from the right
    photo = (picture * 0.6 + 50 + noise + light).clip(0, 255).astype(numpy.uint8)
    assert numpy.abs(mnist(Image.fromarray(photo)) - mnist(drawn(L_SHAPE))).mean() < 6
    thick, thin = mnist(drawn(L_SHAPE, width=14)).sum(), mnist(drawn(L_SHAPE, width=3)).sum()
    assert thin == pytest.approx(thick, rel=0.25)  # undilated it would be a fifth


def test_digits_fill_all_rows_with_values_up_to_16() -> None:
    assert DIGITS is not None
    drawing = drawn([[(0.1, 0.5), (0.9, 0.5), (0.9, 0.9)]])
    sample = to_values(to_drawing(drawing, DIGITS, (1, 8, 8)), DIGITS)[0]
    assert int(sample.max()) == 16
    assert (sample.amax(1) > 0).all()
    assert (sample.amax(0) > 0).tolist() == [False, True, True, True, True, True, True, False]


def test_photos_of_things_keep_their_shades() -> None:
    shades = numpy.full((40, 40), 250, numpy.uint8)
    shades[10:30, 10:20] = 150
    image = to_drawing(Image.fromarray(shades), ImageForm(box=(28, 28), centre="bounds"), SHAPE)[0]
    assert image.unique().tolist() == [0, 100]
    assert (image[:, 7:21] == 100).all()


def test_ink_at_the_edge_of_a_small_image_is_cut_off_not_an_error() -> None:
    image = to_drawing(drawn([[(0.0, 0.5), (1.0, 0.5)]]), ImageForm(box=(40, 40), centre="bounds"), SHAPE)
    assert image.shape == SHAPE


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_blank_picture_is_refused(shade: int) -> None:
    with pytest.raises(Failure, match="^there is nothing on the image: it is all one shade$"):
        mnist(Image.new("L", (60, 40), shade))
