"""Vary one flag: ``python scripts/compare.py --task log --vary lr '[0.1, 0.01]'``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("compare", "compare.py", sys.argv[1:])
