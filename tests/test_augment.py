import math

import pytest
import torch
from lightning.pytorch.plugins import DoublePrecision, HalfPrecision
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import affine

from litmlp import MLP, UsageError
from litmlp.tasks.loader import Batch
from litmlp.training.augment import Augment, Magnitudes, gaussian
from tests.conftest import spec_of


def images(count: int = 20, channels: int = 1, height: int = 28, width: int = 28) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def deform(batch: Tensor, seed: int = 0, **magnitudes: float) -> Tensor:
    torch.manual_seed(seed)
    deformed: Tensor = Augment(tuple(batch.shape[1:]), Magnitudes(**magnitudes))(batch)  # type: ignore[typeddict-item]
    return deformed


@pytest.mark.parametrize("size", [(28, 28), (20, 32)])
def test_rotation_shear_and_shift_together_are_sampled_once_where_they_lead(size):
    batch = images(4, 2, *size)
    deformed = deform(batch, 5, rotation=30, shear=20, shift=3)
    torch.manual_seed(5)
    rotation, shear, _, _, shift_x, shift_y = 2 * torch.rand(7, 4)[:6] - 1
    for i, image in enumerate(batch.float()):
        # What comes from (x, y) goes to the inverse's place. Turned before it is sheared, it is turned by
        # torchvision's angle, and its own coordinates are what torchvision shifts by.
        angle, lean = 30 * float(rotation[i]), 20 * float(shear[i])
        x, y = 3 * float(shift_x[i]), 3 * float(shift_y[i])
        turned = torch.tensor(
            [
                [math.cos(math.radians(angle)), -math.sin(math.radians(angle))],
                [math.sin(math.radians(angle)), math.cos(math.radians(angle))],
            ]
        )
        sheared = turned @ torch.tensor([[1.0, math.tan(math.radians(lean))], [0.0, 1.0]])
        expected = sample(image, sheared, x, y)
        torch.testing.assert_close(deformed[i], expected, atol=2e-2, rtol=0)


@pytest.mark.parametrize("size", [(28, 28), (20, 32)])
def test_a_rotation_is_torchvisions(size):
    batch = images(4, 2, *size)
    plain = deform(batch, 5, rotation=30)
    torch.manual_seed(5)
    rotation = 2 * torch.rand(7, 4)[0] - 1
    for i, image in enumerate(batch.float()):
        angle = 30 * float(rotation[i])
        expected = affine(image, -angle, [0, 0], 1.0, [0.0, 0.0], InterpolationMode.BILINEAR)
        torch.testing.assert_close(plain[i], expected, atol=2e-2, rtol=0)


def sample(image: Tensor, to_source: Tensor, x: float, y: float) -> Tensor:
    """Each pixel's value by hand: a bilinear look at its place in the source, with 0 outside."""
    _, height, width = image.shape
    result = torch.zeros_like(image)
    padded = torch.nn.functional.pad(image, (50, 50, 50, 50))
    for row in range(height):
        for column in range(width):
            place = to_source @ torch.tensor([column - (width - 1) / 2, row - (height - 1) / 2])
            source_x = float(place[0]) + x + (width - 1) / 2 + 50
            source_y = float(place[1]) + y + (height - 1) / 2 + 50
            left, top = math.floor(source_x), math.floor(source_y)
            fx, fy = source_x - left, source_y - top
            corners = padded[:, top : top + 2, left : left + 2]
            weights = torch.tensor([[(1 - fy) * (1 - fx), (1 - fy) * fx], [fy * (1 - fx), fy * fx]])
            result[:, row, column] = (corners * weights).sum((1, 2))
    return result


def test_width_and_height_change_by_themselves():
    square = torch.zeros(200, 1, 28, 28)
    square[:, :, 7:21, 7:21] = 1.0
    deformed = deform(square, scale=0.3)
    widths, heights = deformed[:, 0, 14].sum(1), deformed[:, 0, :, 14].sum(1)
    for sides in (widths, heights):
        assert (float(sides.min()), float(sides.max())) == pytest.approx((0.7 * 14, 1.3 * 14), abs=0.4)
    assert abs(float(torch.corrcoef(torch.stack([widths, heights]))[0, 1])) < 0.2


def test_flip_mirrors_each_image_with_its_probability():
    batch = images(400)
    torch.testing.assert_close(deform(batch, flip=1), batch.flip(3).float(), atol=1e-2, rtol=0)
    mirrored = (deform(batch, flip=0.25) - batch.flip(3)).abs().amax((1, 2, 3)) < 1e-2
    assert 70 < int(mirrored.sum()) < 130


@pytest.mark.parametrize("side", [8, 28])
def test_elastic_displacements_have_their_std_everywhere_and_are_smooth(side):
    torch.testing.assert_close(gaussian(side).square().sum(1), torch.ones(side))
    torch.manual_seed(0)
    augment = Augment((1, side, side), {"elastic": 1.5})
    moved = augment._elastic(4000)  # (4000, 2, side, side)
    torch.testing.assert_close(moved.std(0), torch.full((2, side, side), 1.5), rtol=0.06, atol=0)
    neighbours = torch.corrcoef(torch.stack([moved[:, 0, 3, 3], moved[:, 0, 3, 4], moved[:, 1, 3, 3]]))
    assert float(neighbours[0, 1]) > 0.7
    assert abs(float(neighbours[0, 2])) < 0.06


def test_erasing_blanks_one_rectangle_of_2_to_33_percent():
    erased = deform(torch.full((500, 3, 28, 28), 9.0), erase=0.5)
    assert set(erased.unique().tolist()) == {0.0, 9.0}
    assert torch.equal(erased[:, 0], erased[:, 2])
    blank = erased[:, 0] == 0
    touched = blank.flatten(1).any(1)
    assert 200 < int(touched.sum()) < 300
    for image in blank[touched]:
        height, width = int(image.any(1).sum()), int(image.any(0).sum())
        assert int(image.sum()) == height * width
        assert 0.01 < height * width / 784 < 0.38


def test_each_image_of_a_batch_is_deformed_in_its_own_way_and_differently_in_each_step():
    same = images(1).expand(6, 1, 28, 28)
    deformed = deform(same, 3, rotation=10, elastic=1)
    assert all(not torch.equal(deformed[0], other) for other in deformed[1:])
    assert torch.equal(deformed, deform(same, 3, rotation=10, elastic=1))
    assert not torch.equal(deformed, deform(same, 4, rotation=10, elastic=1))


def test_coordinates_are_exact_under_bfloat16():
    batch = images()
    expected = deform(batch, rotation=20, elastic=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(deform(batch, rotation=20, elastic=1), expected)


@pytest.mark.parametrize("precision", [DoublePrecision(), HalfPrecision("bf16-true"), HalfPrecision("16-true")])
def test_images_are_deformed_alike_whatever_the_precision_makes_the_default_type(precision):
    batch, magnitudes = images(), Magnitudes(rotation=20, scale=0.1, elastic=1, erase=0.5)
    augment = Augment((1, 28, 28), magnitudes)
    expected = deform(batch, **magnitudes)
    torch.manual_seed(0)
    with precision.forward_context():
        assert torch.equal(augment(batch), expected)


def test_evaluation_sees_the_images_as_they_are():
    spec = spec_of(1, 8, 8, outputs=10)
    torch.manual_seed(0)
    plain = MLP(spec)
    torch.manual_seed(0)
    augmented = MLP(spec, augment={"rotation": 45, "erase": 1})
    batch = images(5, 1, 8, 8)
    assert torch.equal(augmented.eval()(batch), plain.eval()(batch))
    targets = torch.zeros(5, dtype=torch.int64)
    losses = [model.train().training_step(Batch(batch, targets), 0) for model in (plain, augmented)]
    assert not torch.equal(*losses)
    assert augmented.state_dict().keys() == plain.state_dict().keys()
    assert augmented.hparams["augment"] == {"rotation": 45, "erase": 1}


@pytest.mark.parametrize(
    ("shape", "magnitudes", "line"),
    [
        ([2], {"flip": 0.5}, "--augment {'flip': 0.5} needs images, but a sample of this task has shape (2,)"),
        ([1, 8, 8], {"rotation": -1}, "--augment.rotation -1: must be from 0 to 180"),
        ([1, 8, 8], {"erase": 1.5}, "--augment.erase 1.5: must be from 0 to 1"),
        ([1, 8, 8], {"scale": math.nan}, "--augment.scale nan: must be from 0 to 0.9"),
        (
            [1, 8, 8],
            {"rotate": 1},
            "--augment.rotate: there is no such deformation; there are rotation, scale, shear, shift, elastic, flip,"
            " erase",
        ),
    ],
)
def test_what_cannot_be_done_is_named(shape, magnitudes, line):
    with pytest.raises(UsageError) as error:
        MLP(spec_of(*shape), augment=magnitudes)
    assert str(error.value) == line
