"""Splits samples into training, validation and test: by the seed, each class for itself, copies on one side."""

import torch
from torch import Tensor

from litmlp.randomness import SPLIT, generator

FRACTION = 0.2  # of all to test, and of the rest to validate


def split_by_folders(sides: list[str], targets: Tensor, groups: Tensor, seed: int) -> dict[str, Tensor]:
    """The indices of the samples of ``train``, ``val`` and ``test``, ascending.

    A side that has no folder of its own is split off from the training samples.

    Args:
        sides: (n,) the side that each sample's folder says.
        targets: (n,) indices of classes.
        groups: (n,) numbers; those of one number are split off together.
        seed: of the draw.
    """
    given = {side: torch.tensor([side == own for own in sides]).nonzero().squeeze(1) for side in dict.fromkeys(sides)}
    missing = tuple(side for side in ("test", "val") if side not in given)
    train = given["train"]  # (training samples,)
    drawn = stratified(targets[train], groups[train], missing, seed)
    return {**given, **{side: train[places] for side, places in drawn.items()}}


def stratified(targets: Tensor, groups: Tensor, held_out: tuple[str, ...], seed: int) -> dict[str, Tensor]:
    """The indices of each side's samples, ascending.

    Of each class ``FRACTION`` of the groups is held out for one side after the other, and at least one, if it has
    enough of them for every side; otherwise all of it is for training. A group belongs to the class of its first
    sample.

    Args:
        targets: (n,) indices of classes.
        groups: (n,) numbers; samples of the same number are on the same side.
        held_out: names of the sides beside ``train``, in the order in which they are served.
        seed: of the draw.
    """
    numbers, group_of = groups.unique(return_inverse=True)  # (groups,), (n,)
    first = torch.full((len(numbers),), len(targets)).scatter_reduce(0, group_of, torch.arange(len(targets)), "amin")
    class_of = targets[first]  # (groups,)
    side_of = torch.zeros(len(numbers), dtype=torch.int64)  # 0 is train
    for label in class_of.unique().tolist():
        of_class = (class_of == label).nonzero().squeeze(1)  # (groups of the class,)
        left = of_class[torch.randperm(len(of_class), generator=generator(seed, SPLIT, label))]
        if len(left) <= len(held_out):
            continue
        for number in range(1, len(held_out) + 1):
            count = max(1, round(FRACTION * len(left)))
            side_of[left[:count]] = number
            left = left[count:]
    return {
        side: (side_of[group_of] == number).nonzero().squeeze(1) for number, side in enumerate(("train", *held_out))
    }
