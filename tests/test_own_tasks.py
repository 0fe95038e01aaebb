"""Tasks outside of the package: named by their place, for every command; and checkpoints that need no task at all."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import litmlp
from litmlp import UsageError
from litmlp.commands import export, fit, predict, test
from litmlp.runs import Run
from litmlp.settings.build import make_model, make_task
from litmlp.settings.command_line import read_command
from litmlp.tasks import TASKS, find_task
from litmlp.tasks.registry import REFERENCES
from tests.conftest import ROOT, script
from tests.crash import CrashError
from tests.faults.compare import differences

COLOURS = """
import torch
from litmlp import Task

class Colours(Task):
    \"\"\"Is a 6x4 image rather red, green or blue?\"\"\"

    validation_samples = 50
    recommended = {"hidden": [8], "lr": 0.03, "max_epochs": 6}

    def prepare_data(self):
        self.classes = ("red", "green", "blue")  # as if they had been read from the data
        self.sample_shape = (3, 6, 4)

    def load(self, train):
        generator = torch.Generator().manual_seed(int(train))
        targets = torch.randint(3, (300,), generator=generator)
        samples = torch.randint(0, 90, (300, 3, 6, 4), generator=generator, dtype=torch.uint8)
        samples[torch.arange(300), targets] += 120
        return samples, targets
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the task in a file and in a module."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "colours.py").write_text(COLOURS)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "module.py").write_text(COLOURS)
    return tmp_path


FLAGS = ["--task", "colours.py:Colours", "--accelerator", "cpu"]


def test_every_command_takes_it_and_a_run_is_resumed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit.main([*FLAGS, "--run", "whole"])
    with pytest.raises(CrashError):
        fit.main([*FLAGS, "--run", "parts", "--callbacks+=tests.crash.Crash", "--callbacks.step=7"])
    fit.main(["--resume", "lightning_logs/colours/parts", "--callbacks=null"])
    whole, parts = (Run(Path("lightning_logs/colours") / name) for name in ("whole", "parts"))
    assert differences(parts.folder, whole.folder) == []
    reached = whole.read_results()
    assert reached is not None
    assert reached["test"]["accuracy"] > 0.98
    capsys.readouterr()

    test.main(["--ckpt", str(whole.folder)])
    assert capsys.readouterr().out.startswith(f"test/loss       {reached['test']['loss']:#.4g}\n")
    export.main(["--ckpt", str(whole.folder), "--format", "pt2"])
    assert Path("colours.pt2").is_file()
    compared = script("compare", *FLAGS, "--vary", "lr", "[0.01, 0.03]", "--max_epochs", "1", cwd=here)
    assert (compared.returncode, compared.stderr) == (0, "")
    assert Path("lightning_logs/colours/colours-lr-comparison/colours-lr.svg").is_file()

    reference, fitted = (script(name, *FLAGS, "--max_epochs", "2", cwd=here) for name in ("by_hand", "fit"))
    digests = [re.findall(r"sha256 (\w{16})", ended.stdout) for ended in (reference, fitted)]
    assert len(digests[0]) == 1
    assert digests[0] == digests[1]


def test_a_checkpoint_of_a_task_that_is_unknown_here_answers_in_colour(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*FLAGS, "--run", "run"])
    checkpoint = here / "alone.ckpt"
    (here / "lightning_logs/colours/run/checkpoints/best.ckpt").rename(checkpoint)
    (here / "colours.py").unlink()
    network = litmlp.load(checkpoint)
    assert network.spec.classes == ("red", "green", "blue")
    assert network.spec.image is not None
    assert network.spec.image.white == 255
    for name, colour in {"red": (230, 20, 30), "green": (20, 200, 60), "blue": (10, 40, 220)}.items():
        Image.new("RGB", (50, 70), colour).save(here / f"{name}.png")
    capsys.readouterr()
    predict.main(["--ckpt", str(checkpoint), "--format", "json", "red.png", "green.png", "blue.png"])
    answers = json.loads(capsys.readouterr().out)
    assert [answer["label"] for answer in answers] == ["red", "green", "blue"]
    flat = torch.tensor([230.0, 20, 30]).view(1, 3, 1, 1).expand(1, 3, 6, 4)
    assert answers[0]["probabilities"] == pytest.approx(network.probabilities(flat)[0].tolist(), abs=1e-6)


def test_a_module_names_the_same_task(here: Path) -> None:
    command = read_command(["--task", "my_package.module:Colours", "--accelerator", "cpu"])
    task = make_task(command)
    task.prepare_data()
    model = make_model(command, task)
    assert (model.spec.task, model.spec.sample_shape, model.settings.hidden) == ("colours", (3, 6, 4), (8,))


@pytest.mark.parametrize(
    ("reference", "line"),
    [
        ("nowhere.py:A", "nowhere.py: there is no such file"),
        ("no.such.module:A", "no.such.module can't be imported: No module named 'no'"),
        ("colours.py:Colors", "colours.py:Colors: there is no Task Colors in colours.py; it has Task, Colours"),
        ("colours.py:torch", "colours.py:torch: there is no Task torch in colours.py; it has Task, Colours"),
        ("wrong.py:A", "{here}/wrong.py, line 2: '(' was never closed"),
        ("lacks.py:A", "lacks.py can't be imported: No module named 'pandass'"),
    ],
)
def test_a_place_without_a_task_is_one_line(here: Path, reference: str, line: str) -> None:
    (here / "wrong.py").write_text("x = 1\ny = (\n")
    (here / "lacks.py").write_text("import pandass\n")
    with pytest.raises(UsageError) as error:
        read_command(["--task", reference])
    assert str(error.value) == f"--task {line.replace('{here}', str(here))}"


def test_an_error_in_a_users_file_keeps_its_traceback(here: Path) -> None:
    (here / "divides.py").write_text("x = 1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        read_command(["--task", "divides.py:A"])


def test_naming_a_task_imports_neither_lightning_nor_torchvision() -> None:
    code = "import sys; from litmlp import TASKS; print('mnist' in TASKS, len(TASKS), 'lightning' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout == f"True {len(REFERENCES)} False\n"


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_called_in_its_checkpoints_what_the_flag_calls_it(name: str) -> None:
    assert find_task(name).task_name() == name
