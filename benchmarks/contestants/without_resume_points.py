"""``fit.py`` that writes no resume point before training ends, to see what they cost."""

import math
import sys

from litmlp.fit import main
from litmlp.resume import Checkpoints

if __name__ == "__main__":
    Checkpoints.SHARE = Checkpoints.LONGEST_PAUSE = math.inf  # so the pause between two points is endless
    main(sys.argv[1:])
