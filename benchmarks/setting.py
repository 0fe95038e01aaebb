"""What the benchmark was told on its command line, and how contestants and groups are made from it."""

import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.contest import ROOT, Contestant
from benchmarks.table import Row

PYTHON = sys.executable
FIT, BY_HAND = ([PYTHON, str(ROOT / "scripts" / name)] for name in ("fit.py", "by_hand.py"))


class Setting(NamedTuple):
    """What the command line says.

    Attributes:
        data_dir: folder of MNIST.
        arrays: folder of its splits as arrays.
        peers: the interpreter that has the peers; None without.
        accelerator: cpu or gpu.
        epochs: how many of them a contestant trains whose epochs are timed.
    """

    data_dir: Path
    arrays: Path
    peers: str | None
    accelerator: str
    epochs: int

    def ours(self, name: str, command: list[str], *flags: str) -> Contestant:
        """A contestant that understands our flags."""
        where = ["--data_dir", str(self.data_dir), "--accelerator", self.accelerator, "--devices", "1"]
        return Contestant(name, [*command, *where, *flags])

    def peer(self, name: str, module: str, *flags: str) -> list[Contestant]:
        """A peer, if there is an interpreter for it."""
        python = PYTHON if module == "lightning_pipeline" else self.peers
        if python is None:
            return []
        command = [python, "-m", f"benchmarks.contestants.{module}", "--arrays", str(self.arrays), *flags]
        if module == "lightning_pipeline":
            command += ["--data_dir", str(self.data_dir), "--accelerator", self.accelerator]
        return [Contestant(name, command)]


class Group(NamedTuple):
    """Contestants that take turns, and the rows that compare them."""

    contestants: list[Contestant]
    rows: list[Row]
