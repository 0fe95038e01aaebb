"""Images for TensorBoard: a confusion matrix, and a grid of images with captions.

TensorBoard's cards scale an image down, to at most 320 × 215 pixels in the time series and 350 pixels across under the
images, by leaving pixels out. So the letters are large, bold and a little blurred: they are read at 40 % of their size.
"""

from collections.abc import Sequence

import numpy
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

FONT_SIZE = 24  # pixels
FONT = ImageFont.load_default(FONT_SIZE)
LINE = 30  # pixels from one line of text to the next
GAP = 10  # pixels between a label and what it belongs to
ACROSS, DOWN = 60, 44  # pixels of a cell of a confusion matrix, at least
LONGEST_NAME = 16  # characters; longer names are cut
NOT_IN_FONT = str.maketrans({"≤": "<=", "≥": ">=", "≠": "!=", "²": "2"})
INK, PAPER, BLUE, RED = (32, 33, 36), (255, 255, 255), (37, 99, 235), (220, 38, 38)

Colour = tuple[int, int, int]


def confusion_chart(matrix: Tensor, classes: Sequence[str]) -> Image.Image:
    """A confusion matrix (classes, classes): rows are the truth, columns the predictions, blue right and red wrong.

    A cell is the darker, the larger its share of its row. The recall, the share on the diagonal, stands beside the row.
    """
    names = [shortened(name) for name in classes]
    widest = max(map(width_of, names))
    across = max(ACROSS, width_of(str(int(matrix.max()))) + GAP // 2)
    turned = widest + GAP > max(across, 10 * ACROSS // len(names))  # wider columns would make the letters too small
    if not turned:
        across = max(across, widest + GAP)
    left, top = LINE + widest + 2 * GAP, LINE + (widest if turned else LINE) + GAP
    right, bottom = left + across * len(names), top + DOWN * len(names)
    chart = Image.new("RGB", (right + 2 * GAP + width_of("100.0%"), bottom + 2 * GAP), PAPER)
    write(chart, "predicted class", ((left + right) // 2, LINE // 2))
    write(chart, "true class", (LINE // 2, (top + bottom) // 2), turned=True)
    write(chart, "recall", (chart.width - GAP, top - LINE // 2), right=True)
    for index, (name, row) in enumerate(zip(names, matrix.tolist(), strict=True)):
        column, middle = left + across * index + across // 2, top + DOWN * index + DOWN // 2
        write(chart, name, (left - GAP, middle), right=True)
        write(chart, name, (column, top - (width_of(name) + GAP if turned else LINE) // 2), turned=turned)
        total = sum(row)
        write(chart, f"{row[index] / total:.1%}" if total else "none", (chart.width - GAP, middle), right=True)
        for prediction, count in enumerate(row):
            x, y = left + across * prediction, top + DOWN * index
            fill(chart, (x, y, x + across - 1, y + DOWN - 1), count, count / max(total, 1), prediction == index)
    return chart


def fill(chart: Image.Image, box: tuple[int, int, int, int], count: int, share: float, is_right: bool) -> None:
    """Draw a cell of a confusion matrix, with its count unless that is 0.

    Args:
        chart: is changed.
        box: left, top, right and bottom of the cell.
        count: of samples.
        share: of the samples of its row.
        is_right: whether it is on the diagonal.
    """
    # The powers spread what matters: recalls between 80 and 100 %, and single errors among a thousand.
    full, shade = (BLUE, share**4) if is_right else (RED, share**0.5)
    red, green, blue = (round(paper + (strong - paper) * shade) for paper, strong in zip(PAPER, full, strict=True))
    chart.paste((red, green, blue), box)
    if count:
        write(chart, str(count), ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), PAPER if shade > 0.6 else INK)


def captioned_grid(images: Tensor, captions: Sequence[str], columns: int = 5, side: int = 140) -> Image.Image:
    """Images, each ``side`` pixels wide, with a caption below.

    Args:
        images: (n, 1, height, width) in grey, or (n, 3, height, width) in red, green and blue. All values are scaled
            together: 0 is black, the largest is white.
        captions: (n,), of one line or more.
        columns: of the grid.
        side: of an image, in pixels.
    """
    texts = [caption.translate(NOT_IN_FONT).split("\n") for caption in captions]
    tall = round(side * images.shape[2] / images.shape[3])
    across = max(side, *(width_of(line) for text in texts for line in text)) + GAP
    down = tall + LINE * max(map(len, texts)) + GAP
    grid = Image.new("RGB", (columns * across, -(-len(images) // columns) * down), PAPER)
    shares = images.float().clamp(min=0) / max(float(images.max()), torch.finfo().tiny)
    pixels = (shares * 255).round().byte().expand(-1, 3, -1, -1).movedim(1, 3)  # (n, height, width, 3)
    for number, (image, text) in enumerate(zip(pixels.numpy(), texts, strict=True)):
        left, top = number % columns * across, number // columns * down
        enlarged = Image.fromarray(image).resize((side, tall), Image.Resampling.NEAREST)
        grid.paste(enlarged, (left + (across - side) // 2, top))
        for line, part in enumerate(text):
            write(grid, part, (left + across // 2, top + tall + LINE * line + LINE // 2))
    return grid


def write(
    chart: Image.Image,
    text: str,
    place: tuple[int, int],
    colour: Colour = INK,
    right: bool = False,
    turned: bool = False,
) -> None:
    """Write a line of text onto a chart.

    Args:
        chart: is changed.
        text: without line breaks.
        place: (x, y) of the text's middle, in pixels.
        colour: of the letters.
        right: x is the text's right end instead.
        turned: from below to above.
    """
    mask = Image.new("L", (width_of(text), LINE))
    ImageDraw.Draw(mask).text((mask.width // 2, LINE // 2), text, 255, FONT, "mm", stroke_width=0.5)
    if turned:
        mask = mask.rotate(90, expand=True)
    x, y = place[0] - mask.width // (1 if right else 2), place[1] - mask.height // 2
    chart.paste(colour, (x, y), mask.filter(ImageFilter.GaussianBlur(0.7)))


def width_of(text: str) -> int:
    """The width of a line of text, in pixels."""
    return int(FONT.getlength(text)) + 2


def shortened(name: str) -> str:
    """A class's name with at most ``LONGEST_NAME`` characters."""
    name = name.translate(NOT_IN_FONT)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def as_array(chart: Image.Image) -> numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]:
    """The chart as (height, width, 3) bytes, as TensorBoard's writer takes it."""
    return numpy.asarray(chart, numpy.uint8)
