"""What ``--help`` shows: our own flags; the Trainer's, which are many, where they are asked for."""

import argparse
import inspect
import re
from typing import Any

from lightning.pytorch import Trainer

USAGE = "%(prog)s [--task TASK] [--FLAG VALUE ...]"
ENDING = (
    "The Trainer's flags, among them --max_epochs, --accelerator, --devices, --precision and --callbacks:"
    " --help trainer"
)


class Help(argparse.Action):
    """Shows our own flags or, as ``--help trainer``, those of Lightning's Trainer, and ends the process."""

    def __init__(self, option_strings: list[str], dest: str, **options: Any) -> None:
        about = "show these flags and exit; --help trainer: those of Lightning's Trainer"
        super().__init__(
            option_strings, argparse.SUPPRESS, nargs="?", default=argparse.SUPPRESS, choices=("trainer",), help=about
        )

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        """Show the help."""
        of_the_trainer, asked = inspect.signature(Trainer).parameters, values == "trainer"
        parser._action_groups = [
            group
            for group in parser._action_groups
            if {action.dest.partition(".")[0] in of_the_trainer for action in group._group_actions} == {asked}
        ]
        parser.usage = USAGE
        if asked:
            parser.description = None
        else:
            parser.epilog = ENDING
        print(re.sub(r" ?\x08", "", parser.format_help()), end="")  # jsonargparse writes a backspace
        parser.exit()


def only_what_is_asked(parser: argparse.ArgumentParser, argv: list[str]) -> list[str]:
    """The flags, or if one asks for a class's arguments (``--callbacks.help EarlyStopping``), the first such alone.

    jsonargparse would read all that come after it as the class's own.
    """
    for index, arg in enumerate(argv):
        action = parser._option_string_actions.get(arg.partition("=")[0])
        if action is not None and action.dest.endswith(".help"):
            value = argv[index + 1 : index + 2] if "=" not in arg and action.nargs != 0 else []
            return [arg, *(word for word in value if not word.startswith("-"))]
    return argv
