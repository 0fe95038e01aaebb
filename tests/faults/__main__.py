"""The command ``python -m tests.faults``."""

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

from tests.faults.compare import differences
from tests.faults.competing import compete
from tests.faults.kills import draw_moment, run_until
from tests.faults.scenarios import MNIST_DATA, SCENARIOS, command, prepare, run_folder
from tests.faults.searches import ON_JOURNAL, ON_POSTGRESQL, search_on_database, search_on_journal, search_undisturbed
from tests.faults.torchrun import run_killing_workers, under_torchrun
from tests.postgresql import MISSING, is_possible, make_database, postgresql

SEARCHES = (ON_JOURNAL, ON_POSTGRESQL)


class Harness:
    """Makes the rounds.

    Args:
        folder: for all that is written.
        data_dir: where MNIST lies.
        seed: of the drawn moments.
        torchrun: whether the command runs on two processes under torchrun.
        competing: whether two processes are given one run, instead of one that is killed.
        server: the URL of a PostgreSQL, if there is one.
    """

    def __init__(
        self,
        folder: Path,
        data_dir: Path,
        seed: int,
        torchrun: bool = False,
        competing: bool = False,
        server: str | None = None,
    ) -> None:
        self.folder = folder
        self.data_dir = data_dir
        self.seed = seed
        self.torchrun = torchrun
        self.competing = competing
        self.server = server
        self.lifetimes: dict[str, float] = {}

    def command(self, scenario: str) -> list[str]:
        """The command line of a scenario."""
        single = command(scenario, self.data_dir)
        return under_torchrun(single) if self.torchrun else single

    def make_reference(self, scenario: str) -> None:
        """Make the undisturbed run of a scenario."""
        cwd = self.folder / "undisturbed" / scenario
        cwd.mkdir(parents=True)
        if scenario in SEARCHES:
            self.lifetimes[scenario] = search_undisturbed(cwd)
            return
        prepare(scenario, cwd)
        end = run_until(self.command(scenario), cwd, None)
        if end.complaint and not (self.torchrun and end.complaint.startswith("exit code 0")):
            sys.exit(f"{scenario}, undisturbed: {end.complaint}")
        self.lifetimes[scenario] = end.seconds

    def make_round(self, number: int, scenario: str) -> tuple[int, list[str]]:
        """Start a run, disturb it at drawn moments, and compare it: how often it was, and what was wrong."""
        random = Random(f"{self.seed} {number}")
        cwd = self.folder / f"round_{number}"
        cwd.mkdir()
        prepare(scenario, cwd)
        if scenario in SEARCHES:
            told, wrong = self.search(scenario, cwd, random)
        else:
            disturb = self.kill_workers if self.torchrun else self.compete if self.competing else self.kill_and_go_on
            told, wrong = disturb(scenario, cwd, random)
            reference = run_folder(self.folder / "undisturbed" / scenario, scenario)
            wrong += differences(run_folder(cwd, scenario), reference)
        print(f"round {number} {scenario}: {', '.join(told)}: {'; '.join(wrong[:8]) or 'identical'}", flush=True)
        if not wrong:
            shutil.rmtree(cwd)
        return len(told), wrong

    def search(self, scenario: str, cwd: Path, random: Random) -> tuple[list[str], list[str]]:
        """Kill processes of a search: the kills, and what was wrong."""
        lifetime = self.lifetimes[scenario]
        if scenario == ON_JOURNAL:
            return search_on_journal(cwd, self.folder / "undisturbed" / scenario, random, lifetime)
        assert self.server is not None
        return search_on_database(cwd, make_database(self.server, cwd.name), random, lifetime)

    def kill_and_go_on(self, scenario: str, cwd: Path, random: Random) -> tuple[list[str], list[str]]:
        """Start the command again and again until it ends: the kills, and what was wrong."""
        folder, lifetime = run_folder(cwd, scenario), self.lifetimes[scenario]
        told: list[str] = []
        wrong: list[str] = []
        for _ in range(random.randint(1, 5)):
            end = run_until(self.command(scenario), cwd, lambda out: draw_moment(random, folder, out, lifetime))
            wrong += [f"{end.told}: {end.complaint}"] if end.complaint else []
            if not end.killed:  # the run was complete before the moment came
                return told, wrong
            told.append(end.told)
        end = run_until(self.command(scenario), cwd, None)
        return told, wrong + ([f"at the end: {end.complaint}"] if end.complaint else [])

    def compete(self, scenario: str, cwd: Path, random: Random) -> tuple[list[str], list[str]]:
        """Give one run to two processes: when the second began, and what was wrong."""
        return compete(self.command(scenario), cwd, random, self.lifetimes[scenario])

    def kill_workers(self, scenario: str, cwd: Path, random: Random) -> tuple[list[str], list[str]]:
        """Start torchrun once, and kill workers: the kills, and what was wrong."""
        kills, lifetime = random.randint(1, 4), self.lifetimes[scenario]
        folder = run_folder(cwd, scenario)
        told, end = run_killing_workers(self.command(scenario), cwd, folder, random, kills, lifetime)
        return told, [end.complaint] if end.complaint else []


def main(argv: list[str]) -> int:
    """Make the rounds, tell, and return the exit code: 0 if every round was identical."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="runs that are killed one to five times each")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn moments")
    parser.add_argument("--only", help="scenarios, tasks or search, separated by commas; all by default")
    parser.add_argument("--data_dir", type=Path, default=MNIST_DATA, help="where MNIST lies, unpacked or not")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--torchrun", action="store_true", help="two processes, of which torchrun restarts dead ones")
    parser.add_argument("--competing", action="store_true", help="no kills: two processes are given one run at a time")
    parser.add_argument("--keep", action="store_true", help="keep the folders of rounds that differ")
    options = parser.parse_args(argv)
    scenarios = [*SCENARIOS] if options.torchrun or options.competing else [*SCENARIOS, *possible_searches()]
    chosen = choose(options.only.split(",") if options.only else scenarios, scenarios)[: options.rounds]
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    numbers = range(options.rounds)
    with ExitStack() as at_end:
        server = at_end.enter_context(postgresql()) if ON_POSTGRESQL in chosen else None
        data_dir = options.data_dir.absolute()
        harness = Harness(folder, data_dir, options.seed, options.torchrun, options.competing, server)
        pool = at_end.enter_context(ThreadPoolExecutor(options.jobs))
        list(pool.map(harness.make_reference, chosen))
        rounds = list(pool.map(lambda number: harness.make_round(number, chosen[number % len(chosen)]), numbers))
    kills, identical = sum(kills for kills, _ in rounds), sum(kills for kills, wrong in rounds if not wrong)
    what = "competitions" if options.competing else "kills"
    sound = sum(not wrong for _, wrong in rounds)
    print(f"{sound} of {options.rounds} rounds, {identical} of {kills} {what}: identical")
    if options.keep:
        print(folder)
    else:
        shutil.rmtree(folder)
    return 0 if not any(wrong for _, wrong in rounds) else 1


def possible_searches() -> list[str]:
    """The scenarios of a search; without one on PostgreSQL where that can't be started, which is printed."""
    if is_possible():
        return [*SEARCHES]
    print(f"without {ON_POSTGRESQL}: {MISSING}")
    return [ON_JOURNAL]


def choose(names: list[str], scenarios: list[str]) -> list[str]:
    """Those of the scenarios that have these names or tasks.

    Raises:
        SystemExit: if there is none of such a name.
    """
    chosen = [scenario for scenario in scenarios if not {scenario, scenario.partition("-")[0]}.isdisjoint(names)]
    if not chosen:
        sys.exit(f"there is no scenario {', '.join(names)}; there are {', '.join(scenarios)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
