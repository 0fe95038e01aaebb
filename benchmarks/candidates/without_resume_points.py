"""``fit.py`` that writes no resume point before training ends, to see what they cost."""

import math
import sys

from litmlp.commands.fit import main
from litmlp.signals import INTERRUPTION
from litmlp.training.resume import ResumePoints

if __name__ == "__main__":
    endless = ResumePoints(interruption=INTERRUPTION, fraction=math.inf, longest_pause=math.inf)
    main(sys.argv[1:], endless)
