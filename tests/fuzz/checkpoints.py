"""Checkpoints with valid checksums and random content."""

import math
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from tests.fuzz.cases import Case, Step
from tests.fuzz.values import Values

RUNS = ("xor/base", "xor/base", "table/rows")
NAMES = (
    "../x", "/dev/null/x", "a/b", "CON", ".", "", "x\x1b[2J", "\ud800", "x" * 300, "\u202ex", "x\ny", "mnist",
    "xor:XOR",
)  # fmt: skip
# What reads LAST, the checkpoint of RUN; INPUT is what its network can answer.
COMMANDS = (
    "fit --resume=LAST --max_epochs=3", "fit --resume=LAST --max_epochs=3", "fit --resume=RUN --max_epochs=3",
    "predict --ckpt=LAST INPUT", "predict --ckpt=LAST --format=json INPUT INPUT", "test --ckpt=LAST", "load LAST",
    "export --ckpt=LAST --format=pt2",
)  # fmt: skip
INPUTS = {"xor/base": "0,1", "table/rows": "rows.csv"}
# What can be in place of a tensor of floating-point numbers.
OTHERS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda tensor: tensor * math.nan,
    lambda tensor: tensor + math.inf,
    lambda tensor: tensor + 1e38,
    torch.zeros_like,
    torch.neg,
    Tensor.double,
    Tensor.half,
    Tensor.bfloat16,
    Tensor.long,
    Tensor.bool,
    partial(Tensor.to, dtype=torch.float8_e4m3fn),
    partial(Tensor.to, dtype=torch.complex64),
    partial(Tensor.to, dtype=torch.uint8),
    partial(Tensor.to, device="meta"),
    lambda tensor: tensor.reshape(1, -1).to_sparse(),
    lambda tensor: tensor.to_sparse() if tensor.dim() else tensor.long(),
    lambda tensor: tensor.to_sparse_csr() if tensor.dim() == 2 else tensor.half(),
    lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    torch.nn.Parameter,
    lambda tensor: tensor[None],
    lambda tensor: tensor.flatten()[:1],
    lambda tensor: tensor.flatten()[:0],
    lambda tensor: tensor.T if tensor.dim() == 2 else tensor.repeat(2),
    lambda tensor: torch.zeros(1).expand(tensor.shape or (1,)),
    lambda tensor: torch.zeros(1).expand(10**6, 10**6),
    lambda tensor: torch.empty(0, 10**9),
    lambda tensor: torch.zeros(()),
)

Keys = tuple[Any, ...]


def make(random: Random, base: Path) -> Case:
    """A command that reads a checkpoint in which one to three places are others."""
    name = random.choice(RUNS)
    run = f"lightning_logs/{name}"
    last = Path(run, "checkpoints", "last.ckpt")
    content = read(base / last)
    steps = tuple(edit(random, last, content) for _ in range(random.choice((1, 1, 1, 2, 3))))
    filling = {"LAST": str(last), "RUN": run, "INPUT": INPUTS[name]}
    command, *words = re.sub("LAST|RUN|INPUT", lambda found: filling[found[0]], random.choice(COMMANDS)).split()
    return Case(command, tuple(words), steps)


@cache
def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint of ours."""
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def edit(random: Random, last: Path, content: dict[str, Any]) -> Step:
    """One place of a checkpoint's content changed, removed or added."""
    keys: tuple[str | int, ...] = ()
    found: Any = content
    while isinstance(found, dict | list | tuple) and found and (not keys or random.random() < 0.85):
        key = random.choice(list(found)) if isinstance(found, dict) else random.randrange(len(found))
        keys, found = (*keys, key), found[key]
    if random.random() < 0.1:
        return Step(prepare=lambda: change(last, keys, None, remove=True), about=f"{path_of(keys)} is missing")
    if random.random() < 0.1:
        keys = (*keys[:-1], random.choice((*NAMES, 0, -1, "network.x", "state", "spec", "classes")))
    value = other(random, found)
    return Step(prepare=lambda: change(last, keys, value), about=f"{path_of(keys)} is {shown(value)}")


def change(last: Path, keys: Keys, value: Any, remove: bool = False) -> None:
    """Set, or remove, one place of a checkpoint in the working folder, if it is still there."""
    content = torch.load(last, weights_only=True)
    torch.save(with_change(content, keys, value, remove), last)


def with_change(found: Any, keys: Keys, value: Any, remove: bool) -> Any:
    """The value with one place of it changed; tuples stay tuples."""
    if not keys:
        return value
    if not isinstance(found, dict | list | tuple):
        return found
    items = dict(found) if isinstance(found, dict) else dict(enumerate(found))
    if remove and len(keys) == 1:
        items.pop(keys[0], None)
    else:
        items[keys[0]] = with_change(items.get(keys[0]), keys[1:], value, remove)
    return items if isinstance(found, dict) else type(found)(items.values())


def other(random: Random, found: Any) -> Any:
    """Something else in place of a value."""
    kind = random.random()
    if isinstance(found, Tensor) and kind < 0.8:
        return random.choice(OTHERS)(found.detach().clone().float())
    if isinstance(found, str) and kind < 0.6:
        return random.choice(NAMES)
    if isinstance(found, bool | int | float) and kind < 0.3:
        return random.choice((found + 1, -found - 1, float(found), str(found), [found], not found))
    if isinstance(found, dict | list | tuple) and kind < 0.4 and found:
        items = list(found.items() if isinstance(found, dict) else found)
        kept = random.sample(items, random.randint(0, len(items))) * random.choice((1, 1, 2))
        return type(found)(kept) if not isinstance(found, dict) else dict(kept)
    if kind > 0.85:
        return random.choice(OTHERS)(torch.ones(random.choice(((), (0,), (1,), (2, 2), (4, 4)))))
    return Values(random, 1.0).anything()


def path_of(keys: Keys) -> str:
    """Where a value is."""
    return "/".join(str(key) if str(key).isprintable() else ascii(key) for key in keys)


def shown(value: Any) -> str:
    """A value for people."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {value.dtype}, {value.layout}, on {value.device}"
    return ascii(value)[:300]
