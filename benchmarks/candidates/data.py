"""What the peers share: their flags, and MNIST as arrays, split as ours is. It needs numpy alone."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy

MEAN, STD = numpy.float32(0.1307), numpy.float32(0.3081)  # of MNIST's training images


class Data(NamedTuple):
    """Standardised images (n, 784) in float32 and digits (n,), of the training, validation and test samples."""

    train: tuple[Any, Any]
    val: tuple[Any, Any]
    test: tuple[Any, Any]


def parser_of_flags(description: str | None) -> argparse.ArgumentParser:
    """The flags that every peer has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arrays", type=Path, required=True, help="folder of the arrays that export.py writes")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, nargs="*", default=[512, 256])
    parser.add_argument("--cosine", action="store_true", help="lower the learning rate along half a cosine")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def read_data(folder: Path) -> Data:
    """Read the arrays that export.py has written."""

    def read(split: str) -> tuple[Any, Any]:
        images = numpy.load(folder / f"{split}_samples.npy")  # (n, 1, 28, 28) bytes
        samples = (images.reshape(-1, 784).astype("float32") / 255 - MEAN) / STD  # (n, 784)
        return samples, numpy.load(folder / f"{split}_targets.npy")

    return Data(read("train"), read("val"), read("test"))
