"""No two places of a run share a stream of random numbers."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from litmlp.randomness import SPLIT, epoch_order, generator, mix

WORD = st.integers(0, 2**32 - 1)


def undo_round(hashed: int) -> int:
    """The value that a round of ``mix`` turned into this one."""
    hashed ^= hashed >> 16
    hashed = hashed * pow(0xC2B2AE35, -1, 2**32) & 0xFFFFFFFF
    hashed ^= hashed >> 13 ^ hashed >> 26
    hashed = hashed * pow(0x85EBCA6B, -1, 2**32) & 0xFFFFFFFF
    return hashed ^ hashed >> 16


@given(st.lists(WORD, max_size=3), WORD, st.lists(WORD, max_size=3))
def test_each_coordinate_can_be_recovered_from_the_seed_so_no_two_of_its_values_collide(
    before: list[int], coordinate: int, after: list[int]
) -> None:
    hashed = mix(*before, coordinate, *after)
    for later in reversed(after):
        hashed = undo_round(hashed) ^ later
    assert undo_round(hashed) ^ mix(*before) == coordinate


def test_the_seeds_are_those_of_every_version() -> None:
    assert [mix(), mix(0), mix(1), mix(0, 1, 2)] == [0, 0, 1364076727, 779996176]
    assert epoch_order(5, seed=0, epoch=1).tolist() == torch.randperm(5, generator=generator(0, 1, 1)).tolist()
    assert SPLIT == 0
