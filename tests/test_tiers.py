"""Folders are import tiers: what each may import, read from the sources, and what answering really imports."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litmlp.runs import Run
from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "litmlp"
# A folder may import itself and those named here; modules beside the folders are "base".
TIERS = {
    "base": set[str](),
    "model": {"base"},
    "inference": {"base", "model"},
    "server": {"base", "model", "inference"},
    "tasks": {"base", "model", "inference"},
    "training": {"base", "model", "tasks"},
    "settings": {"base", "model", "tasks", "training"},
    "studies": {"base", "model", "tasks", "training", "settings"},
    "commands": {"base", "model", "inference", "server", "tasks", "training", "settings", "studies"},
}
HEAVY = {"lightning", "pytorch_lightning", "torchvision", "torchmetrics", "tensorboard", "jsonargparse"}
LIGHT_TIERS = {"base", "model", "inference", "server"}
LIGHT_COMMANDS = {"predict", "export", "serve", "checkpoint_flags", "console", "extras", "cache"}


def imports(source: str) -> Iterator[str]:
    """The modules that a source imports at any place, but not for type checkers alone."""
    tree = ast.parse(source)
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    left_out = {inner for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node not in left_out:
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node not in left_out:
            assert node.level == 0, "relative imports hide their tier"
            assert node.module is not None
            yield from (f"{node.module}.{name.name}" for name in node.names)


def tier_of(module: str) -> str:
    """The tier of one of our modules, or of a name in it."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in TIERS else "base"


def violations(package: Path) -> list[str]:
    """Each import that a tier may not make, as "file imports module"."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package)
        tier = file.parts[0] if len(file.parts) > 1 else "commands" if file.name == "__main__.py" else "base"
        is_light = tier in LIGHT_TIERS or (tier == "commands" and file.stem in LIGHT_COMMANDS)
        for module in imports(path.read_text(encoding="utf-8")):
            if module.split(".")[0] == "litmlp":
                target = tier_of(module)
                forbidden = target not in TIERS[tier] | {tier} or (
                    is_light and target in TIERS["studies"] - LIGHT_TIERS
                )
            else:
                forbidden = is_light and module.split(".")[0] in HEAVY
            if forbidden:
                found.append(f"{file.as_posix()} imports {module}")
    return found


def test_every_import_goes_down() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == TIERS.keys() - {"base"}
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("model/network.py", "import lightning.pytorch", "lightning.pytorch"),
        ("runs.py", "from litmlp.tasks import TASKS", "litmlp.tasks.TASKS"),
        ("tasks/task.py", "from litmlp.training.mlp import MLP", "litmlp.training.mlp.MLP"),
        ("training/mlp.py", "from litmlp.settings.parser import make_parser", "litmlp.settings.parser.make_parser"),
        ("studies/plots.py", "from litmlp.commands.fit import main", "litmlp.commands.fit.main"),
        ("server/app.py", "from litmlp.tasks import TASKS", "litmlp.tasks.TASKS"),
        ("commands/predict.py", "from litmlp.training.mlp import MLP", "litmlp.training.mlp.MLP"),
        ("commands/serve.py", "def main():\n    import torchvision", "torchvision"),
    ],
)
def test_one_that_goes_up_is_found(file: str, line: str, found: str, tmp_path: Path) -> None:
    copy = tmp_path / "litmlp"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    assert violations(copy) == [f"{file} imports {found}"]


LOOK = """
import json, sys, threading, time, urllib.request
from litmlp.commands import {command}
def look():
    print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
if "{command}" == "serve":
    import uvicorn
    run = uvicorn.Server.run
    def answer_once(server, sockets):
        def ask():
            url = f"http://127.0.0.1:{{sockets[0].getsockname()[1]}}"
            while not server.started:
                time.sleep(0.01)
            card = json.load(urllib.request.urlopen(f"{{url}}/model"))
            if card["columns"]:
                row = {{column["name"]: column["typical"] for column in card["columns"]}}
                body = json.dumps({{"rows": [row]}}).encode()
                asked = urllib.request.Request(f"{{url}}/predict", body, {{"Content-Type": "application/json"}})
                urllib.request.urlopen(asked).read()
            server.should_exit = True
        threading.Thread(target=ask).start()
        run(server, sockets)
    uvicorn.Server.run = answer_once
{command}.main(sys.argv[1:])
look()
"""


def modules_after(command: str, *flags: str | Path, cwd: Path) -> set[str]:
    """The packages that a command has imported when it ends; serve.py has answered by then."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOK.format(command=command), *map(str, flags)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    loaded = set(json.loads(ended.stdout.splitlines()[-1]))
    assert {"torch", "litmlp"} <= loaded
    return loaded


@pytest.mark.parametrize(
    ("command", "flags"), [("predict", ["0,1"]), ("export", ["--format", "pt2"]), ("serve", ["--port", "0"])]
)
def test_what_answers_imports_nothing_of_the_training(
    command: str, flags: list[str], trained: Callable[[str], Run], tmp_path: Path
) -> None:
    assert modules_after(command, "--ckpt", trained("xor").best, *flags, cwd=tmp_path) & HEAVY == set()


def test_a_table_is_served_without_what_reads_its_files(flats: Callable[[str], Run], tmp_path: Path) -> None:
    loaded = modules_after("serve", "--ckpt", flats("kind").best, "--port", "0", cwd=tmp_path)
    assert loaded & (HEAVY | {"duckdb", "pyarrow", "pandas"}) == set()
