"""``by_hand.py`` with its network compiled: ``--mode default``, or ``reduce-overhead`` for CUDA graphs too.

It shows what torch.compile would give; its weights differ from the others' by rounding.
"""

import argparse

from litmlp.commands import by_hand


def main() -> None:
    """Run the command: ``--mode``, and the flags of ``by_hand.py``."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--mode", default="default")
    flags, argv = parser.parse_known_args()

    by_hand.main(argv, change=lambda model: model.network.compile(mode=flags.mode))


if __name__ == "__main__":
    main()
