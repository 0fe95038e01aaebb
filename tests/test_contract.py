"""What a task loads is checked before the first epoch, and a regression works in any units."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from litmlp import Failure, Task, UsageError, load
from litmlp.commands import fit, predict
from litmlp.runs import Run
from tests.conftest import script

SAMPLES = torch.arange(12.0).view(6, 2)
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])
VALUES = torch.arange(6.0).view(6, 1)


class Classify(Task):
    """Three classes of two features."""

    sample_shape = (2,)
    classes = ("a", "b", "c")
    loaded: Any = (SAMPLES, CLASSES)

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """What the test says."""
        loaded: tuple[Tensor, Tensor] = self.loaded
        return loaded


class Regress(Classify):
    """A number of two features."""

    classes = None  # type: ignore[assignment]


def with_value(tensor: Tensor, index: tuple[int, ...], value: float) -> Tensor:
    changed = tensor.clone()
    changed[index] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "loaded", "complaint"),
    [
        (Classify, None, "load() must return two tensors, samples and targets"),
        (Classify, (SAMPLES, [0, 1]), "load() must return two tensors, samples and targets"),
        (Classify, (SAMPLES[:0], CLASSES[:0]), "it has no samples"),
        (Classify, (SAMPLES.view(6, 1, 2), CLASSES), "its samples have shape (6, 1, 2), not (6, 2)"),
        (Classify, (SAMPLES.to(torch.complex64), CLASSES), "its samples are torch.complex64 (torch.strided), not a"
         " dense tensor of real numbers"),
        (Classify, (with_value(SAMPLES, (3, 1), torch.nan), CLASSES), "the samples hold nan (first in sample 3): fill"
         " or leave out what is missing"),
        (Classify, (with_value(SAMPLES, (5, 0), -torch.inf), CLASSES), "the samples hold -inf (first in sample 5): fill"
         " or leave out what is missing"),
        (Classify, (SAMPLES, CLASSES.view(6, 1)), "its targets have shape (6, 1), not (6,); use targets.squeeze(1)"),
        (Classify, (SAMPLES, CLASSES[:5]), "its targets have shape (5,), not (6,)"),
        (Classify, (SAMPLES, CLASSES.float()), "its targets are torch.float32, not int64; use targets.long()"),
        (Classify, (SAMPLES, with_value(CLASSES, (4,), 7)), "sample 4 is of class 7, but the classes are 0 to 2"),
        (Classify, (SAMPLES, with_value(CLASSES, (0,), -1)), "sample 0 is of class -1, but the classes are 0 to 2"),
        (Regress, (SAMPLES, VALUES.flatten()), "its targets have shape (6,), not (6, 1); use targets.unsqueeze(1)"),
        (Regress, (SAMPLES, VALUES.double()), "its targets are torch.float64, not float32; use targets.float()"),
        (Regress, (SAMPLES, with_value(VALUES, (2, 0), torch.inf)), "the targets hold inf (first in sample 2): fill or"
         " leave out what is missing"),
    ],
)  # fmt: skip
def test_what_can_not_be_learned_from_is_named(kind: type[Classify], loaded: Any, complaint: str) -> None:
    task = kind()
    task.loaded = loaded
    with pytest.raises(Failure) as error:
        task.split("train")
    assert str(error.value) == f"the training set of {kind.task_name()}: {complaint}"


def test_a_validation_that_leaves_nothing_and_a_task_without_a_shape() -> None:
    task = Classify()
    task.validation_samples = 6
    line = "the training set of classify: its 6 samples leave none to train on beside 6 for validation"
    with pytest.raises(Failure, match=f"^{line}$"):
        task.split("val")
    with pytest.raises(UsageError, match="^the task task doesn't say its sample_shape$"):
        _ = Task().spec


def test_the_test_set_can_use_what_the_training_set_shows() -> None:
    class Filled(Classify):
        def load(self, train: bool) -> tuple[Tensor, Tensor]:
            samples = SAMPLES if train else SAMPLES - self.split("train")[0].mean(0)
            return samples, CLASSES

    assert torch.equal(Filled().split("test")[0], SAMPLES - SAMPLES.mean(0))


HOUSES = """
import torch
from litmlp import Task

class Houses(Task):
    \"\"\"The price of a house of its area, rooms, age and distance to the centre.\"\"\"

    sample_shape = (4,)
    validation_samples = 100

    def load(self, train):
        draw = torch.Generator().manual_seed(int(train))
        area = 40 + 200 * torch.rand(1000, generator=draw)
        rooms = (area / 30).round() + torch.randint(0, 3, (1000,), generator=draw)
        age, distance = 90 * torch.rand(1000, generator=draw), 30 * torch.rand(1000, generator=draw)
        noise = 25_000 * torch.randn(1000, generator=draw)
        price = 90_000 + 2_800 * area * (0.6 + torch.exp(-distance / 8)) - 900 * age + 4_000 * rooms + noise
        return torch.stack([area, rooms, age, distance], 1), price.unsqueeze(1)
"""


def test_house_prices_in_the_hundred_thousands_are_learned_and_answered_in_their_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("houses.py").write_text(HOUSES)
    flags = ["--task", "houses.py:Houses", "--hidden", "[64,64]", "--max_epochs", "50", "--accelerator", "cpu"]
    fit.main([*flags, "--run", "run"])
    run = Run(Path("lightning_logs/houses/run"))
    results = run.read_results()
    assert results is not None
    reached = results["test"]
    assert reached["r2"] >= 0.85
    assert 20_000 < reached["mae"] < reached["rmse"] < 50_000
    assert reached["loss"] == pytest.approx(reached["rmse"] ** 2)
    capsys.readouterr()
    predict.main(["--ckpt", str(run.best), "120,4,30,10"])
    price = float(capsys.readouterr().out.split()[1])
    network = load(run.best)
    assert price == pytest.approx(float(network(torch.tensor([[120.0, 4, 30, 10]]))), rel=1e-6)
    assert 200_000 < price < 500_000


def test_not_a_number_among_the_samples_ends_a_fit_before_its_first_epoch(tmp_path: Path) -> None:
    (tmp_path / "houses.py").write_text(
        HOUSES.replace("return torch.stack", "age[7] = torch.nan\n        return torch.stack")
    )
    ended = script("fit", "--task", "houses.py:Houses", "--accelerator", "cpu", cwd=tmp_path)
    line = "fit.py: the training set of houses: the samples hold nan (first in sample 7): fill or leave out what is"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"{line} missing\n")
    assert not (tmp_path / "lightning_logs").exists()
