"""Resume points with valid checksums and hostile content: one Failure that names the place, and nothing is trained."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from litmlp import Failure
from litmlp.commands import fit
from litmlp.runs import Run

STOPPING = "EarlyStopping{'monitor': 'val/loss', 'mode': 'min'}"
FLAGS = (
    "--task xor --run base --max_epochs 2 --limit_train_batches 3 --hidden [4] --schedule cosine --accelerator cpu"
    " --callbacks+=EarlyStopping --callbacks.monitor=val/loss"
    " --callbacks+=ModelCheckpoint --callbacks.monitor=val/loss --callbacks.filename={epoch}-{step}"
    " --callbacks+=EMAWeightAveraging"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a schedule and Lightning's callbacks, from whose last.ckpt more epochs could be trained."""
    folder = tmp_path_factory.mktemp("base")
    fit.main([*FLAGS.split(), "--default_root_dir", str(folder)])
    return Run(folder / "lightning_logs" / "xor" / "base")


@pytest.fixture
def edited(base: Run) -> Iterator[tuple[Run, dict[str, Any]]]:
    """The run, and the content of its last.ckpt, which is restored afterwards."""
    kept = base.last.with_name("kept")
    shutil.copy(base.last, kept)
    yield base, torch.load(base.last, weights_only=True)
    kept.replace(base.last)


def key_of_model_checkpoint(content: dict[str, Any]) -> str:
    """The key of the ModelCheckpoint's state."""
    return next(str(key) for key in content["callbacks"] if key.startswith("ExactModelCheckpoint"))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["global_step"], False),
        (["global_step"], 10**30),
        (["global_step"], -1),
        (["lr_schedulers", 0, "base_lrs"], [[0.1]]),
        (["lr_schedulers", 0, "lr_lambdas"], [1.5]),
        (["lr_schedulers"], []),
        (["loops", "fit_loop", "epoch_loop.batch_progress", "is_last_batch"], "x"),
        (["loops", "fit_loop", "state_dict", "combined_loader", 0, "batches_done"], -3),
        (["optimizer_states", 0, "param_groups", 0, "betas"], (0.9, "x")),
        (["optimizer_states", 0, "param_groups", 0, "foreach"], True),
        (["optimizer_states", 0, "param_groups", 0, "eps"], 0.5),
        (["optimizer_states", 0, "state", 0, "exp_avg"], torch.zeros(3)),
        (["optimizer_states", 0, "state", 0, "exp_avg"], torch.zeros(1).expand(4, 2)),
        (["optimizer_states", 0, "state", 0], {}),
        (["callbacks", "ResumePoints", "best", "state_dict"], {}),
        (["train_metrics", 0, "sums", 0, "sum_value"], torch.zeros(3)),
        (["train_metrics", 0, "pending"], [[1, 2, 3]]),
        (["callbacks", STOPPING, "patience"], "x"),
        (["callbacks", STOPPING, "stopping_reason"], 9),
        (["callbacks", STOPPING, "best_score"], None),
        (["callbacks", "EMAWeightAveraging", "latest_update_step"], "x"),
        (["current_model_state"], {}),
        (["averaging_state"], {"n_averaged": "x"}),
    ],
)
def test_what_the_run_would_not_have_written_is_refused(
    keys: list[Any], value: Any, edited: tuple[Run, dict[str, Any]]
) -> None:
    run, content = edited
    inside: Any = content
    for key in keys[:-1]:
        inside = inside[key]
    assert keys[-1] in inside if isinstance(inside, dict) else len(inside) > keys[-1]
    inside[keys[-1]] = value
    assert refusal_of(run, content).startswith(f"{run.last} is no checkpoint of ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best_k_models", {"x.ckpt": 3}),
        ("best_k_models", {"\ud800": torch.tensor(1.0)}),
        ("kth_best_model_path", "elsewhere.ckpt"),
        ("best_model_path", 5),
        ("dirpath", None),
        ("saved_step", "x"),
        ("current_score", torch.zeros(2)),
    ],
)
def test_so_is_another_state_of_a_model_checkpoint(name: str, value: Any, edited: tuple[Run, dict[str, Any]]) -> None:
    run, content = edited
    key = key_of_model_checkpoint(content)
    assert len(content["callbacks"][key]["best_k_models"]) == 1
    content["callbacks"][key][name] = value
    assert refusal_of(run, content) == (
        f"{run.last} is no checkpoint of LitMLP that can be used here: callbacks/{key} in it is missing or wrong"
    )


def refusal_of(run: Run, content: dict[str, Any]) -> str:
    """Save the content as last.ckpt, and have the run resumed from it: what is said against that."""
    torch.save(content, run.last)
    before = config_and_results(run)
    with pytest.raises(Failure) as refused:
        fit.main(["--resume", str(run.last), "--max_epochs", "3", "--default_root_dir", str(run.folder.parents[2])])
    assert config_and_results(run) == before
    return str(refused.value)


def config_and_results(run: Run) -> list[tuple[Path, bytes]]:
    """The files that a start would change."""
    return [(path, path.read_bytes()) for path in (run.config, run.results, run.best)]


def test_an_honest_one_is_not(edited: tuple[Run, dict[str, Any]], tmp_path: Path) -> None:
    run, _ = edited
    shutil.copytree(run.folder.parents[1], tmp_path / "lightning_logs")
    copy = Run(tmp_path / "lightning_logs" / "xor" / "base")
    fit.main(["--resume", str(copy.folder), "--max_epochs", "3", "--default_root_dir", str(tmp_path)])
    results = copy.read_results()
    assert results is not None
    assert results["epochs"] == 3
