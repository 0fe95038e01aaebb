"""What fit.py does, without a Trainer: ``python scripts/by_hand.py --task xor``, with the same flags.

It makes the same steps on the same data, so it ends with the same weights, bit for bit: compare the line
``last weights`` of both. It leaves out what isn't learning: checkpoints, TensorBoard, several devices, the test.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from litmlp.commands.console import run

if __name__ == "__main__":
    run("by_hand", "by_hand.py", sys.argv[1:])
