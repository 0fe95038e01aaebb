"""Images for TensorBoard: a confusion matrix, and a grid of images with captions."""

from collections.abc import Sequence

import numpy
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

CELL = 44  # pixels
FONT = ImageFont.load_default(14)
INK, PAPER, BLUE, RED = (32, 33, 36), (255, 255, 255), (37, 99, 235), (220, 38, 38)


def confusion_chart(matrix: Tensor, classes: Sequence[str]) -> Image.Image:
    """A confusion matrix (classes, classes): rows are the truth, columns the predictions, blue right and red wrong.

    A cell is the darker, the larger its share of its row.
    """
    margin = 16 + max(int(FONT.getlength(name)) for name in classes)
    side = margin + CELL * len(classes) + 8
    chart = Image.new("RGB", (side, side), PAPER)
    draw = ImageDraw.Draw(chart)
    shares = (matrix / matrix.sum(1, keepdim=True).clamp(min=1)).tolist()  # [truth][prediction]
    for truth, name in enumerate(classes):
        middle = margin + CELL * truth + CELL // 2
        draw.text((margin - 8, middle), name, INK, FONT, "rm")
        column = Image.new("RGB", (margin - 8, CELL), PAPER)
        ImageDraw.Draw(column).text((0, CELL // 2), name, INK, FONT, "lm")
        chart.paste(column.rotate(90, expand=True), (middle - CELL // 2, 0))
        for prediction, share in enumerate(shares[truth]):
            left, top = margin + CELL * prediction, margin + CELL * truth
            shade = share**0.5  # else single mistakes among a thousand would be invisible
            strong = BLUE if truth == prediction else RED
            colour = tuple(round(paper + (full - paper) * shade) for paper, full in zip(PAPER, strong, strict=True))
            draw.rectangle((left, top, left + CELL - 2, top + CELL - 2), colour)
            count = int(matrix[truth, prediction])
            if count:
                place = (left + CELL // 2 - 1, top + CELL // 2 - 1)
                draw.text(place, str(count), PAPER if shade > 0.6 else INK, FONT, "mm")
    return chart


def captioned_grid(images: Tensor, captions: Sequence[str], columns: int = 5, side: int = 140) -> Image.Image:
    """Images (n, 1, height, width) with values from 0 to 1, each ``side`` pixels wide, with a caption below."""
    rows = -(-len(images) // columns)
    line = 20
    width = max(side, *(int(FONT.getlength(caption)) for caption in captions)) + 12
    height = side + line + 12
    grid = Image.new("RGB", (columns * width, rows * height), PAPER)
    draw = ImageDraw.Draw(grid)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = number % columns * width, number // columns * height
        pixels = (image[0] * 255).round().to(torch.uint8).numpy()
        enlarged = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
        grid.paste(enlarged, (left + (width - side) // 2, top + 6))
        draw.text((left + width // 2, top + side + 8 + line // 2), caption, INK, FONT, "mm")
    return grid


def as_array(chart: Image.Image) -> numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.uint8]]:
    """The chart as (height, width, 3) bytes, as TensorBoard's writer takes it."""
    return numpy.asarray(chart, numpy.uint8)
