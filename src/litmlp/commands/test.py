"""``litmlp test``: the test of a trained model again, in detail: every class, every confusion, the worst errors."""

import argparse
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.errors import Failure, UsageError, about, printable
from litmlp.files import regular_file, write_durably, writing
from litmlp.model.checkpoint import read_checkpoint
from litmlp.model.network import Network
from litmlp.runs import Run, logs_folder
from litmlp.studies.charts import as_array
from litmlp.studies.report import report_of
from litmlp.tasks import find_task
from litmlp.tasks.labelled import rows_for
from litmlp.tasks.loader import BatchLoader
from litmlp.tasks.task import Task
from litmlp.training.metrics import metrics_for
from litmlp.training.mlp import MLP


def main(argv: list[str]) -> None:
    """Run the command.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint or the task's data can't be had.
    """
    parser = parser_with_ckpt("test.py", "Test a trained model again, and show where it is wrong.")
    parser.add_argument("--data", help="the data of a task that was given some; the run's own by default")
    parser.add_argument("--data_dir", help="folder of the task's data; the run's own by default")
    parser.add_argument("--task", help="the task, where the checkpoint lies in no run: its name, or my_tasks.py:MyTask")
    parser.add_argument(
        "--test_data", nargs="+", metavar="FILE", help="of a table: other files to test on, with the same columns"
    )
    parser.add_argument("--images", metavar="FOLDER", help="also write the charts there, as PNG files")
    flags = parser.parse_args(argv)
    path = checkpoint_of(flags)
    model = MLP.load_from_checkpoint(path)
    run = Run(path.absolute().parent.parent)
    samples, targets, name_of = test_samples(model, run, flags)
    outputs, metrics = test(model, samples, targets)
    for name, value in metrics.items():
        print(f"test/{name:<10} {value:#.4g}", flush=True)
    report = report_of(model.network, samples, targets, outputs, name_of, show_progress)
    for line in report.lines:
        print(line)
    folder = run.folder if run.config.is_file() else logs_folder(flags.default_root_dir) / model.spec.task / "test"
    step = read_checkpoint(path).get("global_step", 0)
    step = step if isinstance(step, int) and 0 <= step < 2**63 else 0  # a checkpoint's, whoever wrote it
    if flags.images is not None:
        write_images(Path(flags.images), report.charts)
    with writing(folder, "choose another --default_root_dir"):
        log_charts(folder, step, report.charts)
    print(printable(f"images           tensorboard --logdir {folder}"))


def test_samples(model: MLP, run: Run, flags: argparse.Namespace) -> tuple[Tensor, Tensor, Callable[[int], str]]:
    """The samples and targets to test on, the task's or those of ``--test_data``, and what a sample is called.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if they can't be had.
    """
    if flags.test_data is None:
        task = task_of(model, run, flags)
        return *task.split("test"), task.name_of
    with about("--test_data"):
        if model.spec.table is None:
            raise UsageError(f"{flags.test_data[0]}: the model's samples are no rows of a table; leave it out")
        return *rows_for(model.spec, flags.test_data), "sample {}".format


def task_of(model: MLP, run: Run, flags: argparse.Namespace) -> Task:
    """The task that the model was trained for, with its data, and with the settings of its run, if it lies in one.

    A checkpoint alone names no file to import: only ``--task``, the run's config.yaml and our own names do.

    Raises:
        Failure: if there is no such task here, or its files have changed.
        UsageError: if ``--task`` names none.
    """
    absent = f"the checkpoint's task is {model.spec.task}, which there isn't here"
    settings = run.read_config() or {}
    try:
        with about("--task"):
            kind = find_task(flags.task or settings.get("task") or model.spec.task)
    except UsageError:
        if flags.task:
            raise
        raise Failure(f"{absent}: name its class, as --task my_tasks.py:MyTask") from None
    if model.spec.table is not None and not settings:
        raise Failure("the checkpoint lies in no run, which would name the table's files: name some with --test_data")
    names = inspect.signature(kind).parameters
    settings = settings or kind.settings_from(model.spec)
    if flags.data is not None and "data" not in names:
        raise UsageError(f"--data {flags.data}: the task {model.spec.task} has its own; leave it out")
    settings |= {name: value for name in ("data", "data_dir") if (value := getattr(flags, name)) is not None}
    task = kind(**{name: value for name, value in settings.items() if name in names})
    task.prepare_data()
    if model.spec.table is not None and not learned_from(model.network, task):
        raise Failure("the table's files have changed since the run: test on others with --test_data")
    if task.spec != model.spec:
        raise Failure(f"{absent} in that form")
    return task


def learned_from(network: Network, task: Task) -> bool:
    """Whether a network's statistics are those of the task's training samples.

    If they aren't, the rows are split in another way, and the test has rows that the network has learned from.
    """
    if task.spec != network.spec:
        return False
    found = Network(network.settings)
    found.standardise(task.statistics(network.settings))
    return network.is_standardised_as(found.state_dict())


def test(model: MLP, samples: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The logits or values (samples, outputs) of the test set, and the same metrics as at the end of fitting."""
    metrics = metrics_for(model.network)
    outputs = []
    with torch.inference_mode():
        for batch in BatchLoader(samples, targets, Task.EVALUATION_BATCH):
            logits = model.network.logits(batch.samples)  # (batch, outputs)
            metrics.collect(model.loss(logits, batch.targets), logits, batch.targets)
            outputs.append(model.network.in_units(logits))
    return torch.cat(outputs), {name: float(value) for name, value in metrics.compute_and_reset().items()}


def show_progress(done: int, columns: int) -> None:
    """Show on a terminal how many columns' importance is known."""
    if sys.stderr.isatty():
        text = f"importance of columns: {done} of {columns}" if done < columns else ""
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def log_charts(folder: Path, step: int, charts: dict[str, Image]) -> None:
    """Show the charts in TensorBoard."""
    with SummaryWriter(str(folder)) as writer:
        for name, chart in charts.items():
            writer.add_image(f"test/{name}", as_array(chart), step, dataformats="HWC")


def write_images(folder: Path, charts: dict[str, Image]) -> None:
    """Write the charts as PNG files.

    Raises:
        UsageError: if there is something under a name that isn't a file.
        Failure: if they can't be written.
    """
    for name, chart in charts.items():
        path = folder / f"{name.removeprefix('worst_')}.png"
        with writing(path, "choose another --images"), about("--images"):
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(regular_file(path), partial(chart.save, format="PNG"))
        print(printable(f"image            {path}"))
