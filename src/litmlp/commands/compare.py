"""``litmlp compare``: fits one task several times with one flag varied, and shows what the flag did."""

import argparse
from pathlib import Path

from litmlp.commands.extras import require
from litmlp.commands.study import check_places, make_fits, write
from litmlp.errors import UsageError
from litmlp.flags import Parser
from litmlp.studies.fits import NEVER_VARIED, check_others, plan
from litmlp.studies.jobs import Jobs
from litmlp.studies.outcomes import outcome_of, table
from litmlp.studies.plots import picture
from litmlp.studies.sharing import add_jobs, jobs_at_once, share_threads
from litmlp.studies.values import read_seeds, read_values
from litmlp.training.quiet import silence_libraries


def main(argv: list[str]) -> None:
    """Run the command. All fits are checked before the first one starts; those that are complete aren't made again.

    Raises:
        UsageError: if a flag is wrong, or contradicts a fit of an earlier command.
        Failure: if a fit was killed, or the picture can't be written.
    """
    silence_libraries()
    flags, others = read_flags(argv)
    flag, text = flags.vary[0]
    values, seeds = read_values(flag, text), read_seeds(flags.seeds)
    require("compare.py", "vl_convert", of="requirements-compare.txt")
    with Jobs() as jobs:
        threads = share_threads(flags, len(values) * len(seeds or [0]))
        fits = plan(flag, values, seeds, flags.name, others)
        task_folder, name = fits[0].run.folder.parent, fits[0].comparison
        folder = Path(flags.out) if flags.out is not None else task_folder / f"{name}-comparison"
        pictures = check_places(task_folder, folder, [f"{name}.svg", f"{name}.png"])
        make_fits(fits, jobs, jobs_at_once(flags, fits[0].command.settings), threads)
    outcomes = [outcome_of(fit.run, fit.label, fit.command.settings.seed, fit.parameters) for fit in fits]
    print("\n".join(["", *table(flag, outcomes)]))
    if seeds is not None and len(seeds) > 1:
        print(f"\nMean ± std of the seeds {', '.join(map(str, seeds))}.")
    svg, png = picture(f"Task {fits[0].command.settings.task}, --{flag} varied", flag, values, outcomes)
    print()
    for path, content in zip(pictures, (svg.encode(), png), strict=True):
        write("picture", path, content)


def read_flags(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """This command's own flags, and those that are fit.py's.

    Raises:
        UsageError: if a flag is missing, or goes against another.
    """
    parser = Parser(
        "compare.py",
        "Fit a task several times with one flag varied, and show what the flag did: a table, and a picture of the"
        " curves. All other flags are fit.py's. The same command resumes where it was stopped.",
    )
    parser.add_argument(
        "--vary",
        nargs=2,
        action="append",
        required=True,
        metavar=("FLAG", "VALUES"),
        help="a flag of fit.py, and its values: a YAML list like '[0.1, 0.01]', or a mapping of labels to values like"
        " '{narrow: [16], wide: [512,256]}'",
    )
    parser.add_argument("--seeds", help="fits every value with each of them, e.g. '[0,1,2]'")
    parser.add_argument("--name", help="names the comparison and its runs; TASK-FLAG by default")
    add_jobs(parser)
    parser.add_argument("--out", metavar="FOLDER", help="where to write the picture; beside the runs by default")
    flags, others = parser.parse_known_args(argv)
    varied = [flag for flag, _ in flags.vary]
    if len(varied) > 1:
        raise UsageError(f"--vary {' --vary '.join(varied)}: a comparison varies one flag")
    if varied[0] in NEVER_VARIED:
        raise UsageError(f"--vary {varied[0]}: this flag can't be varied")
    if flags.seeds is not None:
        varied.append("seed")
    check_others(others, varied, "compare.py", "comparison")
    return flags, others
