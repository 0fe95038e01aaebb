"""What several tests share: the real data, a run in this process, and a run's curves."""

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from litmlp import fit
from litmlp.runs import Run

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

Fit = Callable[..., Run]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def events_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads files in the order of their names, where a process's 10th would be before its 9th."""
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real MNIST and Fashion-MNIST."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets aren't here")
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(SHARED_DATA, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return folder


@pytest.fixture
def run_fit(tmp_path: Path) -> Fit:
    """Run ``fit.py`` in this process, in a folder of its own; gives the run called ``name``."""

    def run(*flags: str, name: str = "run", task: str = "digits") -> Run:
        fit.main(["--task", task, "--run", name, "--default_root_dir", str(tmp_path), "--accelerator", "cpu", *flags])
        return Run(tmp_path / "lightning_logs" / task / name)

    return run


def curves(run: Run) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of each scalar in a run's TensorBoard events, as TensorBoard shows them."""
    accumulator = EventAccumulator(str(run.folder), size_guidance={"scalars": 0}).Reload()
    shown = defaultdict(list)
    for tag in accumulator.Tags()["scalars"]:
        shown[tag] = [(event.step, event.value) for event in accumulator.Scalars(tag)]
    return shown
