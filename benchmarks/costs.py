"""What LitMLP costs by itself: starting up, memory, resume points, and growth."""

from itertools import pairwise
from math import prod

from benchmarks.candidate import Candidate
from benchmarks.setting import FIT, PYTHON, Group, Setting
from benchmarks.table import Row

GROWTH = 1.1  # how much faster than its arithmetic an epoch may grow: the target ×11 for ten times the samples


def costs(setting: Setting) -> Group:
    """Starting up, memory, and resume points: what users feel beside the arithmetic."""
    bare, bare_help, xor, mnist, without = (
        "bare import of lightning.pytorch",
        "fit.py --help",
        "fit.py --task xor",
        "fit.py --task mnist",
        "the same without resume points",
    )
    candidates = [
        Candidate(bare, [PYTHON, "-c", "import lightning.pytorch"]),
        Candidate(bare_help, [*FIT, "--help"]),
        setting.ours(xor, FIT, "--task", "xor"),
        setting.ours(mnist, FIT, "--task", "mnist"),
        setting.ours(without, [PYTHON, "-m", "benchmarks.candidates.without_resume_points"], "--task", "mnist"),
    ]
    rows = [
        Row(xor, bare, "seconds", at_most=1.35),
        Row(bare_help, bare, "seconds", at_most=1.10),
        Row(mnist, bare, "peak", at_most=250, difference=True),
        Row(mnist, without, "epoch", at_most=1.03),
    ]
    return Group(candidates, rows)


def answers(setting: Setting) -> Group:
    """From a process's start to its answer, beside torch's import, which no answer can do without."""
    torch, predict, export, serve = (
        "import torch",
        "predict of one sample",
        "export to pt2",
        "serve to its first answer",
    )
    which = ["--ckpt", str(setting.checkpoint)]
    candidates = [
        Candidate(torch, [PYTHON, "-c", "import torch"]),
        Candidate(predict, [PYTHON, "-m", "litmlp", "predict", *which, "0,1"]),
        Candidate(export, [PYTHON, "-m", "litmlp", "export", *which, "--format", "pt2"]),
        Candidate(serve, [PYTHON, "-m", "benchmarks.candidates.first_answer", *which]),
    ]
    targets = {predict: 1.35, export: 1.6, serve: 2.0}
    return Group(candidates, [Row(name, torch, "seconds", at_most=target) for name, target in targets.items()])


def scaling(setting: Setting) -> Group:
    """An epoch when one of its sizes doubles; it should grow no faster than its multiplications."""
    sizes = {
        "hidden [512,512], batch 256": ([512, 512], 256),
        "hidden [1024,1024], batch 256": ([1024, 1024], 256),
        "hidden [512,512], batch 512": ([512, 512], 512),
        "hidden [512,512,512,512], batch 256": ([512] * 4, 256),
    }
    candidates = [
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
    return Group(candidates, rows)


def multiplications(hidden: list[int]) -> int:
    """How many a sample of MNIST takes on its way forward."""
    widths = [784, *hidden, 10]
    return sum(prod(pair) for pair in pairwise(widths))


def samples(setting: Setting) -> Group:
    """An epoch over more and more samples of 16 features."""
    names = {millions: f"{millions} million samples" for millions in (1, 2, 10)}
    program = [PYTHON, "-m", "benchmarks.candidates.many_samples"]
    candidates = [
        setting.ours(name, program, "--samples", str(millions * 1_000_000), "--max_epochs", str(setting.epochs))
        for millions, name in names.items()
    ]
    rows = [Row(names[millions], names[1], "epoch", at_most=GROWTH * millions) for millions in (2, 10)]
    return Group(candidates, rows)
