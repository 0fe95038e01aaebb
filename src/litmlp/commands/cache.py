"""``litmlp cache``: what converted data there are, and how to get rid of them."""

import time

from litmlp.cache import cache_folder, delete, entries
from litmlp.errors import UsageError, one_line, printable
from litmlp.flags import Parser


def main(argv: list[str]) -> None:
    """Run the command.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if data can't be deleted, because a process is converting them, say.
    """
    parser = Parser("cache.py", "List the data that were converted since they are larger than memory, or delete some.")
    parser.add_argument("--data_dir", default="data", help="the folder that fit.py was given; data by default")
    parser.add_argument(
        "--delete",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names in the list, or all: deletes them without a question",
    )
    flags = parser.parse_args(argv)
    found = {entry.name: entry for entry in entries(flags.data_dir)}
    if flags.delete:
        chosen = list(found) if flags.delete == ["all"] else flags.delete
        for name in chosen:
            if name not in found:
                there = f"there are {', '.join(found)}" if found else "there are none"
                raise UsageError(f"--delete {name}: there are no such data in {cache_folder(flags.data_dir)}; {there}")
        for name in chosen:
            delete(flags.data_dir, name)
            print(printable(f"deleted {name}, {found[name].size / 1e6:,.1f} MB"))
        return
    for entry in found.values():
        used = time.strftime("%Y-%m-%d", time.localtime(entry.used))
        about = "unfinished: the next start begins again" if entry.about is None else one_line(entry.about)
        print(f"{printable(entry.name)}  {entry.size / 1e6:>12,.1f} MB  used {used}  {about}")
    if not found:
        print(printable(f"there are no converted data in {cache_folder(flags.data_dir)}"))
