"""Every random number is a pure function of (seed, where we are): that is what makes a resumed run exact.

No generator's state is ever saved. Each place in a run that draws numbers seeds its own generator from the
run's seed and its own coordinates: the order of an epoch from the epoch, dropout from the step and the rank.
"""

import torch
from torch import Tensor

# One constant for each kind of draw, so that two kinds never share a stream.
SPLIT, ORDER, STEP, GENERATE, DEAL = range(5)


def mix(*coordinates: int) -> int:
    """Hash integers to one 32-bit seed (torch's CPU generator takes 32 bits).

    Each round is xor, multiply by an odd constant and xor-shift, all bijective in 32 bits: with the other
    coordinates fixed, no two values of one coordinate below 2**32 give the same seed. The constants are those
    of the MurmurHash3 finaliser (Austin Appleby, public domain).
    """
    hashed = 0
    for coordinate in coordinates:
        hashed ^= coordinate & 0xFFFFFFFF
        hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & 0xFFFFFFFF
        hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
        hashed ^= hashed >> 16
    return hashed


def generator(*coordinates: int) -> torch.Generator:
    """A CPU generator seeded from the coordinates."""
    return torch.Generator().manual_seed(mix(*coordinates))


def epoch_order(samples: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch visits its samples: a permutation of 0 … samples - 1, shape (samples,)."""
    return torch.randperm(samples, generator=generator(seed, ORDER, epoch))


def seed_step(seed: int, epoch: int, batch_idx: int, rank: int, device: torch.device) -> None:
    """Seed the generator that dropout draws from, for one batch of training on one process.

    The CPU's default generator draws as well as the device's own. Those of the CPU and of CUDA are seeded directly
    (about 1 µs); ``torch.manual_seed`` takes 100 times as long.
    """
    step_seed = mix(seed, STEP, epoch, batch_idx, rank)
    torch.default_generator.manual_seed(step_seed)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(step_seed)
    elif device.type != "cpu":
        torch.get_device_module(device).manual_seed(step_seed)
