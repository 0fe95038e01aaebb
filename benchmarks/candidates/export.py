"""Writes our splits of MNIST as arrays for the peers: ``--data_dir FOLDER --arrays FOLDER``.

The numbers of the training and validation images in the original files are written too, for the peer that
reads the files itself.
"""

import argparse
from pathlib import Path

import numpy
import torch
from torch import Tensor

from litmlp.tasks.mnist import MNIST


class ImageNumbers(MNIST):
    """Split like MNIST, but each sample is the number of an image, from 0 to 59,999."""

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Numbers (60000,), twice."""
        numbers = torch.arange(60_000)
        return numbers, numbers


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--arrays", type=Path, required=True)
    flags = parser.parse_args()
    task, numbers = MNIST(data_dir=flags.data_dir), ImageNumbers()
    task.prepare_data()
    for split in ("train", "val", "test"):
        samples, targets = task.split(split)
        numpy.save(flags.arrays / f"{split}_samples.npy", samples.numpy())
        numpy.save(flags.arrays / f"{split}_targets.npy", targets.numpy())
    for split in ("train", "val"):
        numpy.save(flags.arrays / f"{split}_numbers.npy", numbers.split(split)[0].numpy())


if __name__ == "__main__":
    main()
