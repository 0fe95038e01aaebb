"""Our defaults beside other libraries' on tables: ``python benchmarks/tables.py --peers PYTHON``.

Every candidate gets the same splits, as three CSV files, on one thread in a process of its own, whose processor time is
taken, from its start to its end. The libraries, which don't look at validation rows at their defaults, are fitted on
them as well as on the training rows; ours chooses its epoch by them. The peers need an environment of their own, see
requirements.txt beside this file.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.candidate import ROOT, Candidate, measure
from benchmarks.flags import interpreter, some_of
from benchmarks.machine import OURS, hardware, versions
from benchmarks.ranks import Outcome, markdown
from benchmarks.setting import FIT, PYTHON
from benchmarks.table_data import TABLES
from litmlp.files import write_durably
from litmlp.runs import Run

PEERS = ("scikit-learn", "xgboost-cpu", "lightgbm", "catboost", "pandas")
LIBRARIES = ("hist_gradient_boosting", "scikit_learn_mlp", "xgboost", "lightgbm", "catboost")


class Fit(NamedTuple):
    """One fit of a candidate."""

    table: str
    candidate: str
    seed: int

    @property
    def key(self) -> str:
        """What the file of results knows it by."""
        return f"{self.table}, {self.candidate}, seed {self.seed}"


def main() -> None:
    """Run the command."""
    flags = read_flags()
    os.environ["OMP_NUM_THREADS"] = "1"
    ours = " ".join(["LitMLP", *flags.flags])
    theirs = {name: name if flags.rows == "train+val" else f"{name} on train" for name in LIBRARIES}
    candidates: dict[str, str | None] = {ours: None} if "litmlp" in flags.candidates else {}
    if flags.peers is not None:
        candidates |= {theirs[name]: name for name in LIBRARIES if name in flags.candidates}
    results: dict[str, list[float]] = json.loads(flags.results.read_text()) if flags.results.is_file() else {}
    if flags.again:
        results = {key: value for key, value in results.items() if f", {ours}, " not in key}
    fits = [Fit(table, name, seed) for seed in flags.seeds for table in flags.only for name in candidates]
    for number, fit in enumerate(fits):
        if fit.key not in results:
            results[fit.key] = list(outcome_of(fit, candidates[fit.candidate], flags))
            write_durably(flags.results, lambda path: path.write_text(json.dumps(results, indent=0)))
        outcome = Outcome(*results[fit.key])
        print(f"{number + 1}/{len(fits)}  {fit.key}: {outcome}", file=sys.stderr, flush=True)
    print(preamble(flags))
    tables = {
        table: {name: [Outcome(*results[Fit(table, name, seed).key]) for seed in flags.seeds] for name in candidates}
        for table in flags.only
    }
    for line in markdown(tables, {name: table.metric for name, table in TABLES.items()}, list(candidates)):
        print(line)


def outcome_of(fit: Fit, library: str | None, flags: argparse.Namespace) -> Outcome:
    """Fit and test a candidate: a library, or ours."""
    table = TABLES[fit.table]
    with tempfile.TemporaryDirectory() as folder:
        splits, output = Path(folder, "splits"), Path(folder, "metric")
        table.write(flags.tables, fit.seed, splits)
        if library is None:
            files = ["--data", f"{splits}/train.csv", "--validation_data", f"{splits}/val.csv"]
            files += ["--test_data", f"{splits}/test.csv", "--target", table.target]
            where = ["--run", "run", "--default_root_dir", folder, "--accelerator", "cpu", "--threads", "1"]
            command = [*FIT, "--task", "table", *files, *where, "--seed", str(fit.seed), *flags.flags]
        else:
            what = ["--model", library, "--metric", table.metric, "--rows", flags.rows, "--seed", str(fit.seed)]
            which = ["--folder", str(splits), "--target", table.target, "--output", str(output)]
            command = [flags.peers, "-m", "benchmarks.candidates.tabular", *what, *which]
        seconds = measure(Candidate(fit.candidate, command), fit.seed).processor
        if library is not None:
            return Outcome(float(output.read_text()), seconds)
        reached = Run(Path(folder, "lightning_logs", "table", "run")).read_results()
        assert reached is not None
        return Outcome(reached["test"][table.metric], seconds)


def preamble(flags: argparse.Namespace) -> str:
    """What was measured on what."""
    installed = versions(PYTHON, OURS[:3]) | (versions(flags.peers, PEERS) if flags.peers else {})
    libraries = ", ".join(f"{name} {version}" for name, version in installed.items())
    return (
        f"{hardware(PYTHON, 'cpu')}; Python {sys.version.split()[0]}, {libraries}; mean ± std of"
        f" {len(flags.seeds)} seeds; the libraries at their defaults, fitted on {flags.rows}, ours on train, with its"
        f" best epoch chosen on val; one thread, seconds of a processor from a process's start to its end.\n"
    )


def read_flags() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0], allow_abbrev=False)
    parser.add_argument("--peers", type=interpreter, help="a Python that has benchmarks/requirements.txt installed")
    parser.add_argument("--tables", type=Path, default=ROOT.parent / "shared" / "tables", help="folder of the tables")
    parser.add_argument("--only", type=some_of(TABLES), default=list(TABLES), help=f"some of {','.join(TABLES)}")
    names = ["litmlp", *LIBRARIES]
    parser.add_argument("--candidates", type=some_of(names), default=names, help=f"some of {','.join(names)}")
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2], help="such as 0,1,2")
    parser.add_argument(
        "--rows", choices=["train+val", "train"], default="train+val", help="that the libraries are fitted on"
    )
    parser.add_argument("--flags", type=shlex.split, default=[], help="flags of fit.py's, such as '--max_epochs 90'")
    parser.add_argument(
        "--results", type=Path, default=Path("tables.json"), help="kept there, and not measured a second time"
    )
    parser.add_argument("--again", action="store_true", help="measure ours even so")
    return parser.parse_args()


def seeds(text: str) -> list[int]:
    """The seeds that a flag names."""
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
