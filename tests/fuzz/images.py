"""Random pictures of all formats, damaged or hostile."""

import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from tests.fuzz.cases import Case, Step
from tests.fuzz.mutations import mutated_bytes

MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("1", "L", "P", "RGB", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB", "YCbCr"),
    "PPM": ("1", "L", "RGB", "I"),
    "PDF": ("RGB",),
    "TGA": ("RGB",),
    "EPS": ("L",),
}
STEPS = {"LAB": "RGB", "I;16": "I"}  # modes that Pillow only converts to from another
SIZES = ((8, 8), (28, 28), (1, 1), (1, 300), (300, 1), (40, 30), (700, 600))
SOME = bytes(100)
FIT = "--task image_folder --data photos --max_epochs 1 --limit_train_batches 1 --hidden [4] --accelerator cpu"


@cache
def png(width: int, height: int, rows: bytes, text: bytes = b"") -> bytes:
    """A grey PNG of these rows, with a compressed text."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    chunks += [(b"zTXt", b"x\0\0" + zlib.compress(text))] if text else []
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content


# Small files that claim, or hold, a large picture, given a number.
BOMBS: tuple[Callable[[int], bytes], ...] = (
    lambda side: b"P6 %d %d 255\n" % (side, side) + SOME,
    lambda side: b"P4 %d 1\n" % side + SOME,
    lambda side: b"P5\n#" + b"x" * 100_000,
    lambda side: b"P6 3 3 99999\n" + SOME,
    lambda side: b"P2 9 9 255\n" + b"9" * 5_000,
    lambda side: png(side, side, b""),
    lambda side: png(6_000, 6_000, bytes(6_001 * 6_000)),
    lambda side: png(9, 9, bytes(10**6)),
    lambda side: png(9, 9, bytes(90), bytes(6 * 10**7)),
    lambda side: b"BM" + struct.pack("<IHHIIiiHH", 100, 0, 0, 54, 40, side, -side, 1, 24) + SOME,
    lambda side: b"GIF89a" + struct.pack("<HH", side % 2**16, side % 2**16) + b"\xf7\0\0" + bytes(768) + b",",
    lambda side: b"II*\0\x08\0\0\0\xff\xff" + SOME,
    lambda side: b"RIFF\xff\xff\xff\xffWEBPVP8 " + SOME,
)


def make(random: Random, base: Path) -> Case:
    """A prediction for one to three pictures, or a fit on a folder that has them."""
    if random.random() < 0.3:
        names = [f"photos/{random.choice(('cat', 'dog'))}/{number}.png" for number in range(random.randint(1, 3))]
        return Case("fit", tuple(FIT.split()), tuple(picture_step(random, name)._replace(words=()) for name in names))
    form = random.choice(("text", "json", "csv"))
    steps = tuple(picture_step(random, f"{number}.png") for number in range(random.randint(1, 3)))
    return Case("predict", ("--ckpt", "lightning_logs/digits/digits", "--format", form), steps)


def picture_step(random: Random, name: str) -> Step:
    """A picture's file."""
    content = picture(random)
    about = f"{name} holds {content[:60]!r}, {len(content)} bytes"
    return Step((name,), lambda: Path(name).write_bytes(content), about)


def picture(random: Random) -> bytes:
    """A picture, more often damaged than not."""
    kind = random.random()
    if kind < 0.15:
        return random.choice(BOMBS)(random.choice((0, 20_000, 65_535, 2**31 - 1)))
    content = drawn(random)
    return content if kind < 0.3 else mutated_bytes(random, content, most=8)


def drawn(random: Random) -> bytes:
    """An intact picture of noise, in some format and mode."""
    kind = random.choice(sorted(MODES))
    mode, size = random.choice(MODES[kind]), random.choice(SIZES)
    noise = Image.frombytes("L", size, random.randbytes(size[0] * size[1]))
    image = noise.convert(STEPS.get(mode, mode)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = random.choice((0, 1, 3, 5, 6, 8, 9, 65535))  # the orientation
    options: dict[str, Any] = {}
    if kind in ("PNG", "JPEG", "WEBP", "TIFF") and random.random() < 0.5:
        options["exif"] = exif
    if kind in ("GIF", "PNG", "WEBP", "TIFF") and random.random() < 0.2:
        options |= {"save_all": True, "append_images": [image] * random.choice((1, 20))}
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()
