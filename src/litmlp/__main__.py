"""``litmlp COMMAND …`` and ``python -m litmlp COMMAND …``: the same as ``python scripts/COMMAND.py …``."""

import sys
from typing import NoReturn

from litmlp.commands.console import run

COMMANDS = {
    "fit": "fit the MLP to a task",
    "test": "test a trained model again, and show where it is wrong",
    "predict": "let a trained model answer",
    "serve": "serve a trained model over HTTP, with a page",
    "export": "put a trained model into one file",
    "compare": "fit a task several times with one flag varied",
    "search": "find the settings of a task that validate best",
    "cache": "list or delete data that were converted",
    "by_hand": "what fit does, as a plain loop",
}


def main() -> NoReturn:
    """Run the command that the first argument names."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if asked in COMMANDS:
        run(asked, f"litmlp {asked}", sys.argv[2:])
    lines = ["usage: litmlp COMMAND …", "", *(f"  {name:8} {does}" for name, does in COMMANDS.items())]
    lines += ["", "litmlp COMMAND --help shows a command's flags."]
    if asked in ("--help", "-h"):
        print("\n".join(lines))
        sys.exit(0)
    print(f"litmlp {asked}: there is no such command; there are {', '.join(COMMANDS)}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
