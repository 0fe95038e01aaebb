"""List or delete converted data: ``python scripts/cache.py``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("cache", "cache.py", sys.argv[1:])
