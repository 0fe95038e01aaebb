"""Measure what LitMLP costs, beside other libraries and by itself: ``python benchmarks/run.py --peers PYTHON``.

Every candidate runs in a process of its own, all take turns, and the table shows the medians over the rounds.
The peers need an environment of their own, see requirements.txt beside this file. Close everything else first.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import comparisons, costs
from benchmarks.candidate import Candidate, measure, take_turns
from benchmarks.flags import interpreter, some_of
from benchmarks.machine import OURS, PEERS, hardware, versions
from benchmarks.setting import FIT, PYTHON, Group, Setting
from benchmarks.table import HEADER, line

GROUPS: dict[str, Callable[[Setting], Group]] = {
    "batch_64": lambda setting: comparisons.epochs(setting, 64, fit_at_most=1.30, keras_at_least=None),
    "batch_256": lambda setting: comparisons.epochs(setting, 256, fit_at_most=1.10, keras_at_least=1.5),
    "precision": comparisons.precision,
    "augment": comparisons.augment,
    "time_to_98": comparisons.time_to_98,
    "answers": costs.answers,
    "costs": costs.costs,
    "scaling": costs.scaling,
    "samples": costs.samples,
    "device": comparisons.device,
}
# What a GPU changes; the others measure what only the CPU does.
ON_GPU = ["device", "precision", "augment", "time_to_98"]
HOW_TO_GET_PEERS = (
    "the rows of scikit-learn and Keras are not measured: python -m venv .venv-peers"
    " && .venv-peers/bin/pip install -r benchmarks/requirements.txt, then --peers .venv-peers/bin/python"
)


def main() -> None:
    """Run the command."""
    flags = read_flags()
    installed = versions(PYTHON, OURS)
    if flags.peers is not None:
        of_peers = versions(flags.peers, PEERS)
        if None in of_peers.values():
            sys.exit(f"--peers {flags.peers}: lacks {', '.join(name for name, found in of_peers.items() if not found)}")
        installed |= of_peers
    with tempfile.TemporaryDirectory() as arrays:
        export = [PYTHON, "-m", "benchmarks.candidates.export", "--data_dir", str(flags.data_dir), "--arrays", arrays]
        measure(Candidate("export", export), 0)
        xor = [*FIT, "--task", "xor", "--run", "run", "--default_root_dir", arrays, "--accelerator", "cpu"]
        measure(Candidate("xor", xor), 0)
        setting = Setting(flags.data_dir, Path(arrays), flags.peers, flags.accelerator, flags.epochs)
        print(f"{hardware(PYTHON, flags.accelerator)}; Python {sys.version.split()[0]}, ", end="")
        print(", ".join(f"{name} {version}" for name, version in installed.items()), end="")
        print(f"; medians of {flags.rounds} rounds; an epoch's time leaves out the first of {flags.epochs}.\n")
        print(HEADER, flush=True)
        for name in flags.only:
            group = GROUPS[name](setting)
            measured = take_turns(group.candidates, flags.rounds)
            for row in group.rows:
                print(line(row, measured), flush=True)
            if flags.peers is None and any(row.above not in measured for row in group.rows):
                print(HOW_TO_GET_PEERS, file=sys.stderr)


def read_flags() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0], allow_abbrev=False)
    parser.add_argument("--peers", type=interpreter, help="a Python that has benchmarks/requirements.txt installed")
    only = f"some of {','.join(GROUPS)}; on a GPU {','.join(ON_GPU)}"
    parser.add_argument("--only", type=some_of(GROUPS), help=only)
    parser.add_argument("--rounds", type=int, default=5, help="how often each candidate runs")
    parser.add_argument("--epochs", type=int, default=3, help="of a candidate whose epochs are timed")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--data_dir", type=Path, default=Path("data"), help="folder of MNIST and Fashion-MNIST")
    flags = parser.parse_args()
    if flags.rounds < 1 or flags.epochs < 2:
        parser.error(f"--rounds {flags.rounds} --epochs {flags.epochs}: at least 1 round and 2 epochs")
    flags.data_dir = flags.data_dir.absolute()
    flags.only = flags.only or (ON_GPU if flags.accelerator == "gpu" else list(GROUPS))
    return flags


if __name__ == "__main__":
    main()
