"""Fit the MLP to a task: ``python scripts/fit.py --task mnist --accelerator gpu``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("fit", "fit.py", sys.argv[1:])
