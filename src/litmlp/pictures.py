"""Reads picture files of any origin, so that none can do harm."""

from io import BytesIO

import numpy
from PIL import Image, ImageOps, UnidentifiedImageError

from litmlp.errors import Failure

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")  # none of those that start other programs
MOST_PIXELS = 50_000_000  # a telephone's camera makes up to 50 million; their shades take 50 MB
LONGEST_SIDE = 512  # a larger picture is reduced to it: the images of the data are far smaller still

Image.MAX_IMAGE_PIXELS = None  # its check warns, or tells of an attack; ours is below


def read_picture(content: bytes) -> Image.Image:
    """The picture that a file holds, upright, in shades of grey; of a moving one the first. It may be reduced.

    Raises:
        Failure: if it is no picture, is damaged, or is larger than ``MOST_PIXELS`` once unpacked.
    """
    try:
        picture = Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise Failure(f"no picture in a format that is read here ({', '.join(FORMATS)})") from None
    except Exception as error:  # whatever else a broken or hostile file makes of Pillow
        raise damaged(error) from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise Failure(f"a picture of {width} × {height} pixels: at most {MOST_PIXELS:,} pixels are unpacked")
    try:
        picture.draft("RGB", (1024, 1024))  # lets a JPEG be unpacked at a half, quarter or eighth of its size
        picture.load()
        return in_grey(ImageOps.exif_transpose(picture))
    except Exception as error:  # as above
        raise damaged(error) from error


def in_grey(picture: Image.Image) -> Image.Image:
    """The picture in mode L or, with transparency, LA, with sides of at most ``LONGEST_SIDE``."""
    if picture.mode.startswith("I;16"):
        shades = numpy.asarray(picture) // 257  # convert would cut off what is above 255
        picture = Image.fromarray(shades.astype(numpy.uint8))
    picture = picture.convert("RGBA").convert("LA") if picture.has_transparency_data else picture.convert("L")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
    return picture


def damaged(error: Exception) -> Failure:
    """What to say about a picture that can't be unpacked."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return Failure(f"the picture is damaged ({reason[0]})")
