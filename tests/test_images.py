"""Image files of any kind are read, or refused in one sentence."""

from io import BytesIO

import numpy
import pytest
from PIL import Image

from litmlp.errors import Failure
from litmlp.inference.images import read_image


def packed(picture: Image.Image, form: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_formats(form: str) -> None:
    picture = read_image(packed(Image.new("RGB", (30, 20), (200, 200, 200)), form))
    assert (picture.size, picture.mode) == ((30, 20), "L")
    assert picture.getpixel((5, 5)) == pytest.approx(200, abs=2)


def test_sixteen_bits_transparency_and_size() -> None:
    deep = Image.fromarray(numpy.full((4, 4), 51400, numpy.uint16))
    assert read_image(packed(deep, "PNG")).getpixel((0, 0)) == 200
    assert read_image(packed(Image.new("RGBA", (4, 4), (9, 9, 9, 50)), "PNG")).getpixel((0, 0)) == (9, 50)
    assert read_image(packed(Image.new("L", (2000, 500)), "PNG")).size == (512, 128)


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert read_image(packed(Image.new("L", (40, 10)), "JPEG", exif=exif)).size == (10, 40)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(Failure, match="^an image of 20000 × 20000 pixels: at most 50,000,000 pixels are unpacked$"):
        read_image(bomb)


@pytest.mark.parametrize("content", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image(content: bytes) -> None:
    with pytest.raises(Failure, match=r"^no image in a format that is read here \(PNG, JPEG, GIF, "):
        read_image(content)


def test_damaged_images_never_end_in_another_exception() -> None:
    draw = numpy.random.default_rng(0)
    pixels = Image.fromarray(draw.integers(0, 255, (40, 40, 3), numpy.uint8))
    refusals = []
    for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"):
        good = packed(pixels, form)
        for _ in range(40):
            content = bytearray(good)
            for place in draw.integers(0, len(good), 5):
                content[place] = draw.integers(0, 256)
            cut = bytes(content[: draw.integers(1, len(good) + 1)])
            try:
                read_image(cut)
            except Failure as failure:
                refusals.append(str(failure))
    assert len(refusals) > 100
    assert all(len(refusal.splitlines()) == 1 for refusal in refusals)
