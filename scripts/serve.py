"""Serve a trained model and a page to draw on: ``python scripts/serve.py --ckpt last``; ``--help`` shows the flags."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("serve", "serve.py", sys.argv[1:])
