"""What LitMLP costs by itself: starting up, memory, resume points, and growth."""

from itertools import pairwise
from math import prod

from benchmarks.contest import Contestant
from benchmarks.setting import FIT, PYTHON, Group, Setting
from benchmarks.table import Row

GROWTH = 1.1  # how much faster than its arithmetic an epoch may grow: the aim ×11 for ten times the samples


def costs(setting: Setting) -> Group:
    """Starting up, memory, and resume points: what users feel beside the arithmetic."""
    bare, bare_help, xor, mnist, without = (
        "bare import of lightning.pytorch",
        "fit.py --help",
        "fit.py --task xor",
        "fit.py --task mnist",
        "the same without resume points",
    )
    contestants = [
        Contestant(bare, [PYTHON, "-c", "import lightning.pytorch"]),
        Contestant(bare_help, [*FIT, "--help"]),
        setting.ours(xor, FIT, "--task", "xor"),
        setting.ours(mnist, FIT, "--task", "mnist"),
        setting.ours(without, [PYTHON, "-m", "benchmarks.contestants.without_resume_points"], "--task", "mnist"),
    ]
    rows = [
        Row(xor, bare, "seconds", at_most=1.35),
        Row(bare_help, bare, "seconds", at_most=1.10),
        Row(mnist, bare, "peak", at_most=250, difference=True),
        Row(mnist, without, "epoch", at_most=1.03),
    ]
    return Group(contestants, rows)


def scaling(setting: Setting) -> Group:
    """An epoch when one of its sizes doubles; it should grow no faster than its multiplications."""
    sizes = {
        "hidden [512,512], batch 256": ([512, 512], 256),
        "hidden [1024,1024], batch 256": ([1024, 1024], 256),
        "hidden [512,512], batch 512": ([512, 512], 512),
        "hidden [512,512,512,512], batch 256": ([512] * 4, 256),
    }
    contestants = [
        setting.ours(
            name,
            FIT,
            *["--task", "mnist", "--max_epochs", str(setting.epochs), "--dropout", "0"],
            *["--hidden", str(hidden).replace(" ", ""), "--batch_size", str(batch_size)],
        )
        for name, (hidden, batch_size) in sizes.items()
    ]
    first, *doubled = sizes
    rows = [
        Row(name, first, "epoch", at_most=GROWTH * multiplications(sizes[name][0]) / multiplications(sizes[first][0]))
        for name in doubled
    ]
    return Group(contestants, rows)


def multiplications(hidden: list[int]) -> int:
    """How many a sample of MNIST takes on its way forward."""
    widths = [784, *hidden, 10]
    return sum(prod(pair) for pair in pairwise(widths))


def samples(setting: Setting) -> Group:
    """An epoch over more and more samples of 16 features."""
    names = {millions: f"{millions} million samples" for millions in (1, 2, 10)}
    program = [PYTHON, "-m", "benchmarks.contestants.many_samples"]
    contestants = [
        setting.ours(name, program, "--samples", str(millions * 1_000_000), "--max_epochs", str(setting.epochs))
        for millions, name in names.items()
    ]
    rows = [Row(names[millions], names[1], "epoch", at_most=GROWTH * millions) for millions in (2, 10)]
    return Group(contestants, rows)
