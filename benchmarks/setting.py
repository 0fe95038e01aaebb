"""What the benchmark's command line says, and how candidates and groups are made from it."""

import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.candidate import ROOT, Candidate
from benchmarks.table import Row

PYTHON = sys.executable
FIT, BY_HAND = ([PYTHON, str(ROOT / "scripts" / name)] for name in ("fit.py", "by_hand.py"))


class Setting(NamedTuple):
    """What the command line says.

    Attributes:
        data_dir: folder of MNIST.
        arrays: folder of its splits as arrays, and of a run of xor.
        peers: the interpreter that has the peers; None without.
        accelerator: cpu or gpu.
        epochs: how many of them a candidate trains whose epochs are timed.
    """

    data_dir: Path
    arrays: Path
    peers: str | None
    accelerator: str
    epochs: int

    @property
    def checkpoint(self) -> Path:
        """A checkpoint of xor."""
        return self.arrays / "lightning_logs" / "xor" / "run" / "checkpoints" / "best.ckpt"

    def ours(self, name: str, command: list[str], *flags: str) -> Candidate:
        """A candidate that understands our flags."""
        where = ["--data_dir", str(self.data_dir), "--accelerator", self.accelerator, "--devices", "1"]
        return Candidate(name, [*command, *where, *flags])

    def peer(self, name: str, module: str, *flags: str) -> list[Candidate]:
        """A peer, if there is an interpreter for it."""
        python = PYTHON if module == "lightning_pipeline" else self.peers
        if python is None:
            return []
        command = [python, "-m", f"benchmarks.candidates.{module}", "--arrays", str(self.arrays), *flags]
        if module == "lightning_pipeline":
            command += ["--data_dir", str(self.data_dir), "--accelerator", self.accelerator]
        return [Candidate(name, command)]


class Group(NamedTuple):
    """Candidates that take turns, and the rows that compare them."""

    candidates: list[Candidate]
    rows: list[Row]
