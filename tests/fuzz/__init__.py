"""Random input for every command: flags, files, checkpoints, images and requests.

``python -m tests.fuzz --seconds 600`` shares the time among the kinds; ``--count`` makes an exact number of cases of
each instead. Each case is a function of its kind, the seed and its number, and is reproduced by the command line that
a failure prints. The commands run as they do for a user, except that each is forked from one process that has imported
everything, so that a case takes a tenth of a second.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
