"""``by_hand.py`` with its network compiled: ``--mode default``, or ``reduce-overhead`` for CUDA graphs too.

It shows what torch.compile would give; its weights differ from the others' by rounding.
"""

import argparse

from litmlp import by_hand
from litmlp.command import Command
from litmlp.fit import make_task_and_model
from litmlp.mlp import MLP
from litmlp.tasks import Task


def main() -> None:
    """Run the command: ``--mode``, and the flags of ``by_hand.py``."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--mode", default="default")
    flags, argv = parser.parse_known_args()

    def make_compiled(command: Command) -> tuple[Task, MLP]:
        task, model = make_task_and_model(command)
        model.network.compile(mode=flags.mode)
        return task, model

    by_hand.make_task_and_model = make_compiled
    by_hand.main(argv)


if __name__ == "__main__":
    main()
