"""Put a trained model into one file: ``python scripts/export.py --ckpt last``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("export", "export.py", sys.argv[1:])
