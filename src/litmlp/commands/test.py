"""``litmlp test``: the test of a trained model again, in detail: every class, every confusion, the worst errors."""

import argparse
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.errors import Failure, UsageError, about
from litmlp.files import regular_file, write_durably, writing
from litmlp.model.checkpoint import read_checkpoint
from litmlp.runs import Run, logs_folder
from litmlp.studies.charts import as_array, captioned_grid, confusion_chart
from litmlp.tasks import find_task
from litmlp.tasks.task import Task
from litmlp.training.metrics import metrics_for
from litmlp.training.mlp import MLP

WORST_IN_GRID, WORST_IN_LINES = 10, 5


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
    parser.add_argument("--images", metavar="FOLDER", help="also write confusion.png and errors.png there")
    flags = parser.parse_args(argv)
    path = checkpoint_of(flags)
    model = MLP.load_from_checkpoint(path)
    if flags.images is not None and not model.spec.classes:
        raise UsageError(f"--images {flags.images}: there are none of a regression; leave it out")
    run = Run(path.absolute().parent.parent)
    task = task_of(model, run, flags)
    samples, targets = task.split("test")
    logits, metrics = test(model, task)
    for name, value in metrics.items():
        print(f"test/{name:<10} {value:#.4g}")
    if not model.spec.classes:
        for line in largest_errors(samples, targets, logits):
            print(line)
        return
    matrix = confusion_matrix(logits.argmax(1), targets, len(model.spec.classes))
    worst = worst_errors(logits.softmax(1), targets)
    captions = [caption(logits[i], targets[i], model.spec.classes) for i in worst[:WORST_IN_GRID].tolist()]
    for line in [*table(matrix, model.spec.classes), *errors_in_lines(worst.tolist(), captions, task.name_of)]:
        print(line)
    folder = run.folder if run.config.is_file() else logs_folder(flags.default_root_dir) / model.spec.task / "test"
    step = read_checkpoint(path).get("global_step", 0)
    step = step if isinstance(step, int) and 0 <= step < 2**63 else 0  # a checkpoint's, whoever wrote it
    charts = {"confusion": confusion_chart(matrix, model.spec.classes), **errors_chart(samples[worst], captions)}
    if flags.images is not None:
        write_images(Path(flags.images), charts)
    with writing(folder, "choose another --default_root_dir"):
        log_charts(folder, step, charts)
    print(f"images           tensorboard --logdir {folder}")


def task_of(model: MLP, run: Run, flags: argparse.Namespace) -> Task:
    """The task that the model was trained for, with its data, and with the settings of its run, if it lies in one.

    A checkpoint alone names no file to import: only ``--task``, the run's config.yaml and our own names do.

    Raises:
        Failure: if there is no such task here.
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
    names = inspect.signature(kind).parameters
    settings = settings or kind.settings_from(model.spec)
    if flags.data is not None and "data" not in names:
        raise UsageError(f"--data {flags.data}: the task {model.spec.task} has its own; leave it out")
    settings |= {name: value for name in ("data", "data_dir") if (value := getattr(flags, name)) is not None}
    task = kind(**{name: value for name, value in settings.items() if name in names})
    task.prepare_data()
    if task.spec != model.spec:
        raise Failure(f"{absent} in that form")
    return task


def test(model: MLP, task: Task) -> tuple[Tensor, dict[str, float]]:
    """The logits or values (samples, outputs) of the test set, and the same metrics as at the end of fitting."""
    metrics = metrics_for(model.network)
    outputs = []
    with torch.inference_mode():
        for batch in task.test_dataloader():
            logits = model.network.logits(batch.samples)  # (batch, outputs)
            metrics.collect(model.loss(logits, batch.targets), logits, batch.targets)
            outputs.append(model.network.in_units(logits))
    return torch.cat(outputs), {name: float(value) for name, value in metrics.compute_and_reset().items()}


def confusion_matrix(predictions: Tensor, targets: Tensor, classes: int) -> Tensor:
    """How many samples of class i (row) were taken for class j (column), from two tensors (samples,)."""
    return torch.bincount(targets * classes + predictions, minlength=classes**2).view(classes, classes)


def worst_errors(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The indices (errors,) of wrongly classified samples, the most confident first.

    Args:
        probabilities: (samples, classes).
        targets: (samples,).
    """
    confidence, predictions = probabilities.max(1)  # (samples,), (samples,)
    wrong = (predictions != targets).nonzero().squeeze(1)  # (errors,)
    return wrong[confidence[wrong].argsort(descending=True, stable=True)]


def table(matrix: Tensor, classes: Sequence[str]) -> list[str]:
    """The confusion matrix and the accuracy of every class, as lines."""
    names = max(map(len, classes))
    longest = 80 // len(classes)  # so that the table is about as wide as a terminal
    cells = max(4, len(str(int(matrix.max()))), *(min(len(name), longest) for name in classes))
    header = " ".join(f"{name if len(name) <= cells else name[: cells - 1] + '…':>{cells}}" for name in classes)
    lines = ["", "rows: the truth; columns: what was predicted", f"{'':{names}}  {header}  accuracy"]
    for truth, row in enumerate(matrix.tolist()):
        counts = " ".join(f"{count or '·':>{cells}}" for count in row)
        accuracy = f"{row[truth] / sum(row):8.2%}" if sum(row) else f"{'none':>8}"
        lines.append(f"{classes[truth]:{names}}  {counts}  {accuracy}")
    return lines


def caption(logits: Tensor, target: Tensor, classes: Sequence[str]) -> str:
    """An error's truth, prediction and probability, each on a line, from one sample's logits (classes,)."""
    probability, prediction = logits.softmax(0).max(0)
    return f"{classes[int(target)]},\nnot {classes[int(prediction)]}\n({float(probability):.1%})"


def errors_in_lines(
    worst: list[int], captions: list[str], name_of: Callable[[int], str] = "sample {}".format
) -> list[str]:
    """How many errors there are, and the most confident of them, each on a line."""
    texts = [text.replace("\n", " ") for text in captions[:WORST_IN_LINES]]
    lines = [f"  {name_of(index)}: {text}" for index, text in zip(worst, texts, strict=False)]
    title = ", the most confident of them (truth, not prediction):" if worst else ""
    return ["", f"{len(worst)} error{'' if len(worst) == 1 else 's'}{title}", *lines]


def largest_errors(samples: Tensor, targets: Tensor, predictions: Tensor) -> list[str]:
    """The samples (samples, features) whose values (samples, outputs) are predicted worst, each on a line."""
    errors = (predictions - targets).abs().amax(1)  # (samples,)
    lines = []
    for index in errors.argsort(descending=True)[:WORST_IN_LINES].tolist():
        at, truth, value = (
            ", ".join(f"{number:.4g}" for number in row[index].flatten().tolist())
            for row in (samples, targets, predictions)
        )
        lines.append(f"  sample {index} at ({at}): {truth}, not {value}")
    return ["", "the largest errors (truth, not prediction):", *lines]


def errors_chart(worst: Tensor, captions: list[str]) -> dict[str, Image]:
    """The worst errors (errors, *sample_shape) with their captions, where samples are images and there are any."""
    if worst.dim() != 4 or worst.shape[1] not in (1, 3) or not captions:
        return {}
    return {"worst_errors": captioned_grid(worst[: len(captions)], captions)}


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
        print(f"image            {path}")
