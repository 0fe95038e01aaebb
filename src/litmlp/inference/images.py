"""Reads image files of any origin, so that none can do harm, and brings them to the form of a network's samples."""

import warnings
from io import BytesIO

import numpy
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.drawings import to_drawing
from litmlp.model.spec import ImageForm, Spec

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")  # none of those that start other programs
MAX_PIXELS = 50_000_000  # a telephone's camera makes up to 50 million; their grey levels take 50 MB
MAX_SIDE = 512  # a larger image is reduced to it: those of the data are far smaller still
MODES = {1: "L", 3: "RGB"}  # by channels

warnings.filterwarnings("ignore", module=r"PIL\.")  # what is odd about a file that can be read
Image.MAX_IMAGE_PIXELS = None  # its check warns, or calls it an attack; ours is below


def sample_from_image(spec: Spec, content: bytes) -> Tensor:
    """A sample (*sample_shape) from an image file's content.

    Raises:
        Failure: if it is no image, or can't be brought to the form of the samples.
    """
    shape, form = spec.sample_shape, spec.image
    if form is None or shape[0] not in MODES:
        raise Failure(f"images of {shape[0]} channels whose form the task doesn't say can't be made from files")
    image = read_image(content, MODES[shape[0]])
    values = to_photo(image, shape) if form.box is None else to_drawing(image, form, shape)
    return to_values(values, form)


def to_values(levels: Tensor, form: ImageForm) -> Tensor:
    """Grey or colour levels from 0 to 255 in the data's own range: as bytes where that is of whole numbers."""
    scaled = levels * (form.white / 255)
    return scaled.round().to(torch.uint8) if float(form.white).is_integer() and 1 < form.white < 256 else scaled


def to_photo(image: Image.Image, shape: tuple[int, ...]) -> Tensor:
    """Levels (channels, height, width) from 0 to 255: the image scaled, and cropped around its centre.

    What is transparent becomes white, as most viewers show it.
    """
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), opaque)
    height, width = shape[1:]
    fitted = ImageOps.fit(image.convert(MODES[shape[0]]), (width, height), Image.Resampling.BOX)
    levels = numpy.asarray(fitted, numpy.float32).reshape(height, width, shape[0])
    return torch.from_numpy(levels.transpose(2, 0, 1).copy())


def read_image(content: bytes, mode: str = "L") -> Image.Image:
    """The image that a file holds, upright, in a mode, or with transparency; of a moving one the first.

    It may be reduced.

    Raises:
        Failure: if it is no image, is damaged, or is larger than ``MAX_PIXELS`` once unpacked.
    """
    image = open_image(content)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Failure(f"an image of {width} × {height} pixels: at most {MAX_PIXELS:,} pixels are unpacked")
    try:
        image.draft("RGB", (1024, 1024))  # lets a JPEG be unpacked at a half, quarter or eighth of its size
        image.load()
        return reduced(ImageOps.exif_transpose(image), mode)
    except Exception as error:  # as above
        raise damaged(error) from error


def open_image(content: bytes) -> Image.Image:
    """The image that a file holds, not unpacked yet.

    Raises:
        Failure: if it is no image, or is damaged.
    """
    try:
        return Image.open(BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise Failure(f"no image in a format that is read here ({', '.join(FORMATS)})") from None
    except Exception as error:  # a broken or hostile file makes Pillow raise anything: it names no common class
        raise damaged(error) from error


def reduced(image: Image.Image, mode: str) -> Image.Image:
    """The image in mode L or RGB or, with transparency, LA or RGBA, with sides of at most ``MAX_SIDE``."""
    if image.mode.startswith("I;16"):
        levels = numpy.asarray(image) // 257  # convert would cut off what is above 255
        image = Image.fromarray(levels.astype(numpy.uint8))
    image = image.convert("RGBA").convert(mode + "A") if image.has_transparency_data else image.convert(mode)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return image


def damaged(error: Exception) -> Failure:
    """What to say about an image that can't be unpacked."""
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return Failure(f"the image is damaged ({reason[0]})")
