"""The recipes are settings that fit.py takes, and their runs are as exact to resume as all others."""

import re
from pathlib import Path

import pytest

from litmlp.settings.build import make_model, make_task
from litmlp.settings.command_line import read_command
from tests.conftest import ROOT, Fit, points_everywhere
from tests.crash import CrashError
from tests.faults.compare import differences

TABLES = ["adult", "california"]
RECIPES = sorted(path for path in (ROOT / "recipes").glob("*.yaml") if path.stem not in TABLES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_is_a_pure_mlp_and_states_its_result(recipe: Path) -> None:
    command = read_command(["--config", str(recipe), "--accelerator", "cpu"])
    model = make_model(command, make_task(command))
    assert model.spec.task == recipe.stem.removesuffix("_gpu")
    assert model.settings.conv == ()
    assert model.augment is not None
    measured = r"# [\d.]+ % of the test images: the mean of the seeds [\d, ]+ \([\d.]+ to [\d.]+ %\)\."
    unmeasured = r"# Not measured: no GPU was at hand\. Target: at least [\d.]+ % of the test images"
    assert re.match(unmeasured if recipe.stem.endswith("_gpu") else measured, recipe.read_text())


def test_there_is_a_recipe_for_each_of_both_tasks_and_machines() -> None:
    assert [recipe.stem for recipe in RECIPES] == ["fashion_mnist", "fashion_mnist_gpu", "mnist", "mnist_gpu"]


@pytest.mark.parametrize("name", TABLES)
def test_a_recipe_for_a_table_states_its_result_and_what_it_was_measured_on(name: str) -> None:
    path = ROOT / "recipes" / f"{name}.yaml"
    data = ["--data", str(ROOT / "src/litmlp/tasks/penguins.csv"), "--target", "species"]
    settings = read_command(["--config", str(path), "--accelerator", "cpu", *data]).settings
    assert (settings.task, settings.members, settings.bins) == ("table", 16, 48)
    stated = r"# (RMSE|accuracy) 0\.\d{4}.*: the mean of the seeds [\d, ]+ \(0\.\d{4} to 0\.\d{4}\)\."
    assert re.match(stated, path.read_text())


@pytest.mark.slow
def test_a_recipe_that_is_broken_off_three_times_ends_as_one_that_was_not(run_fit: Fit, real_data: Path) -> None:
    flags = ["--config", str(ROOT / "recipes" / "mnist.yaml"), "--data_dir", str(real_data)]
    flags += ["--max_epochs", "2", "--check_val_every_n_epoch", "2"]
    flags += ["--limit_train_batches", "8", "--limit_val_batches", "1", "--limit_test_batches", "1"]
    reference = run_fit(*flags, task="mnist", name="reference")
    crash = ["--callbacks+=tests.crash.Crash", "--callbacks.step"]
    for step in ("3", "8", "13"):  # within the first epoch, between both, within the second
        with pytest.raises(CrashError):
            run_fit(*flags, *crash, step, task="mnist", points=points_everywhere())
    run = run_fit(*flags, task="mnist")
    assert differences(run.folder, reference.folder) == []
