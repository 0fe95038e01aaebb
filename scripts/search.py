"""Find good settings: ``python scripts/search.py --task log --trials 30``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("search", "search.py", sys.argv[1:])
