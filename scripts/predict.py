"""Let a trained model answer: ``python scripts/predict.py --ckpt last seven.png``; ``--help`` shows every flag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("predict", "predict.py", sys.argv[1:])
