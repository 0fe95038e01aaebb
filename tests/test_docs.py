"""README.md and docs/: every block runs as it stands and prints what the page shows, links lead somewhere."""

import re
import shlex
import shutil
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from litmlp import TASKS, ResumePoints
from litmlp.commands import compare, search
from litmlp.model.statistics import mean_and_std
from litmlp.settings.command_line import read_command
from litmlp.settings.parser import flags_of, make_parser
from litmlp.studies.fits import plan
from litmlp.studies.search_plan import plan_search
from litmlp.studies.values import read_seeds, read_values
from tests.conftest import ROOT, SHARED_DATA
from tests.crash import Crash, CrashError
from tests.docs_page import Page, blocks_of, commands_in, in_powershell
from tests.warm import processes

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CLONED = ("benchmarks", "docs", "recipes", "scripts", "src", "tests", *(path.name for path in ROOT.glob("*.txt")))

# Patterns of commands that aren't run here, and why.
NOT_RUN = {
    "--accelerator gpu": "needs a GPU",
    "torchrun --nnodes": "is in test_elastic.py",
    "sbatch": "needs SLURM",
    "torchrun --standalone": "is in test_faults.py",
    "-m tests.faults": "is in test_faults.py",
    "-m pytest": "would run this again",
    "--config recipes/": "takes minutes to hours; its flags are checked",
    "--storage": "needs a database",
    "optuna-dashboard": "serves until it is stopped",
    "--task fashion_mnist --trials": "takes minutes to hours; its flags are checked",
    "--out docs/limits": "takes minutes to hours; its flags are checked",
    "--images docs/limits": "needs one of these",
    ".venv-peers": "takes minutes to hours",
}


def why_not_run(line: str) -> str | None:
    """Why a command isn't run here; None if it is."""
    return next((why for pattern, why in NOT_RUN.items() if pattern in line), None)


def lacks_data(line: str) -> bool:
    """Whether a command needs a data set that isn't here."""
    return "mnist" in line and not SHARED_DATA.is_dir()


def commands_of(page: Path) -> list[list[str]]:
    """All commands of a page."""
    return [words for block in blocks_of(page) if block.language == "sh" for words in commands_in(block.text)]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder like a fresh clone, into which MNIST has been downloaded, where we have it."""
    for name in CLONED:
        (tmp_path / name).symlink_to(ROOT / name)
    if SHARED_DATA.is_dir():
        (tmp_path / "data").symlink_to(request.getfixturevalue("real_data"))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.slow
def test_a_page_runs_as_it_stands(page: Path, clone: Path) -> None:
    if shutil.which("curl") is None and "curl" in page.read_text(encoding="utf-8"):
        pytest.skip("there is no curl here")
    followed = Page(clone, processes(), lambda line: why_not_run(line) is not None or lacks_data(line))
    try:
        followed.follow(page)
    finally:
        followed.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_powershell_reads_otherwise_is_quoted_or_said(page: Path) -> None:
    blocks = [block.text for block in blocks_of(page) if block.language == "sh"]
    for block in blocks:
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", block)
        assert re.findall(r"(?<!\S)@|[,;$`(){}]", unquoted) == []
    if any(re.search(r"^curl|\\$|'\{\"", block, re.MULTILINE) for block in blocks):
        assert "PowerShell" in prose(page)


def test_no_other_commands_are_left_out() -> None:
    left_out = Counter(
        (page.stem, why) for page in PAGES for words in commands_of(page) if (why := why_not_run(shlex.join(words)))
    )
    assert left_out == {
        ("README", "needs a GPU"): 1,
        ("README", "would run this again"): 1,
        ("flags", "takes minutes to hours; its flags are checked"): 2,
        ("gpu", "needs a GPU"): 1,
        ("gpu", "would run this again"): 1,
        ("limits", "takes minutes to hours; its flags are checked"): 10,
        ("limits", "needs one of these"): 1,
        ("resume", "is in test_faults.py"): 2,
        ("resume", "is in test_elastic.py"): 2,
        ("resume", "needs SLURM"): 1,
        ("search", "needs a database"): 1,
        ("search", "serves until it is stopped"): 1,
        ("search", "takes minutes to hours; its flags are checked"): 1,
        ("speed", "takes minutes to hours"): 3,
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.slow
def test_the_flags_of_a_command_that_is_left_out_are_right(
    page: Path, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    for words in commands_of(page):
        line = shlex.join(words)
        if why_not_run(line) is None or lacks_data(line):
            continue
        if "scripts/fit.py" in words:
            read_command(words[words.index("scripts/fit.py") + 1 :])
        elif "scripts/search.py" in words:
            flags, others = search.read_flags(words[2:])
            assert plan_search(flags.space, flags.name, others).space
        elif "scripts/compare.py" in words:
            flags, others = compare.read_flags(words[2:])
            name, text = flags.vary[0]
            assert plan(name, read_values(name, text), read_seeds(flags.seeds), flags.name, others)


def test_the_first_command_installs_what_the_page_imports() -> None:
    installing = commands_of(ROOT / "README.md")[1]
    assert installing == [".venv/bin/pip", "install", "-r", "requirements.txt"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert "-e ." in [line.partition("  #")[0] for line in lines]


def test_the_first_commands_are_those_of_windows_too() -> None:
    first, second, *_ = blocks_of(ROOT / "README.md")
    assert (first.language, second.language) == ("sh", "powershell")
    assert second.text == in_powershell(first.text)
    assert second.text.splitlines()[-1] == r".venv\Scripts\python scripts/fit.py"


def test_mnist_is_fitted_without_a_gpu_first() -> None:
    commands = [shlex.join(words) for words in commands_of(ROOT / "README.md") if "mnist" in words]
    assert commands[:2] == [
        "python scripts/fit.py --task mnist",
        "python scripts/fit.py --task mnist --accelerator gpu",
    ]


@pytest.mark.filterwarnings("ignore:.*smaller than the logging interval")
def test_a_fit_from_python_that_breaks_off_within_an_epoch_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown: dict[str, Any] = {}
    for block in blocks_of(ROOT / "docs" / "python.md"):
        if block.language == "python" and ("import Trainer" in block.text or "def fit" in block.text):
            exec(block.text, shown.setdefault("namespace", {"torch": torch}))
    namespace = shown["namespace"]
    standardised = (namespace["model"].network.mean, namespace["model"].network.std)
    assert all(map(torch.equal, standardised, mean_and_std(namespace["task"].split("train")[0])))
    namespace["ResumePoints"] = partial(ResumePoints, fraction=1e9, longest_pause=0.0)
    with pytest.raises(CrashError):
        namespace["fit"]("runs/crashed", 6, Crash(33))
    assert namespace["ResumePoints"]("runs/crashed").newest() == Path("runs/crashed/checkpoints/last.ckpt")
    assert torch.load("runs/crashed/checkpoints/last.ckpt")["global_step"] == 33
    resumed, whole = (namespace["fit"](f"runs/{name}", 6).state_dict() for name in ("crashed", "whole"))
    assert all(map(torch.equal, resumed.values(), whole.values()))


def test_the_schedule_of_a_page_is_the_codes() -> None:
    named = re.search(r"The task `log`:.*?, (\S+) schedule;", prose(ROOT / "docs" / "limits.md"), re.DOTALL)
    assert named is not None
    assert named[1] == TASKS["log"].recommended["schedule"]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("C*.md")], ids=lambda page: page.stem)
def test_links_lead_to_what_is_there(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in link]
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether there are the file and the heading that a link names."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", prose(target), flags=re.MULTILINE)
    return anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "flags.md"], ids=lambda page: page.stem)
def test_every_flag_that_is_mentioned_exists(page: Path) -> None:
    mentioned = {f"--{name}" for name in re.findall(r"--([a-z]\w*)", prose(page))}
    known = {flag for name in ("mnist", "table", "image_folder") for flag in flags_of(make_parser(name, TASKS[name]))}
    assert mentioned - known == set()


def test_the_flags_table_has_values_that_are_accepted() -> None:
    examples = re.findall(r"^\| `(--.*?)` \|", (ROOT / "docs" / "flags.md").read_text(encoding="utf-8"), re.MULTILINE)
    complete = [example for example in examples if not re.search(r"NAME|RUN", example)]
    assert (len(examples), len(complete)) == (18, 15)
    for example in complete:
        read_command(["--task", "mnist", *shlex.split(example)])
