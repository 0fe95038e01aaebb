"""``scripts/test.py``: the test of a trained model again, closer: every class, every confusion, the worst mistakes."""

import argparse
import inspect
from functools import partial
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from litmlp.charts import as_array, captioned_grid, confusion_chart
from litmlp.checkpoints import read_checkpoint, write_durably
from litmlp.errors import Failure, UsageError
from litmlp.flags import checkpoint_of, parser_with_ckpt
from litmlp.metrics import EpochMetrics
from litmlp.mlp import MLP
from litmlp.runs import Run, logs_folder
from litmlp.tasks import TASKS
from litmlp.tasks.task import Task

WORST_IN_GRID, WORST_IN_LINES = 10, 5


def main(argv: list[str]) -> None:
    """Run the command.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint or the task's data can't be had.
    """
    parser = parser_with_ckpt("test.py", "Test a trained model again, and show where it is wrong.")
    parser.add_argument("--data_dir", help="folder of the task's data; the run's own unless told otherwise")
    parser.add_argument("--pictures", metavar="FOLDER", help="also write confusion.png and mistakes.png there")
    flags = parser.parse_args(argv)
    path = checkpoint_of(flags)
    model = MLP.load_from_checkpoint(path)
    if flags.pictures is not None and not model.settings.classes:
        raise UsageError(f"--pictures {flags.pictures}: there are none of a regression; leave it out")
    run = Run(path.absolute().parent.parent)
    task = task_of(model, run, flags)
    task.prepare_data()
    samples, targets = task.split("test")
    logits, figures = test(model, task)
    for name, figure in figures.items():
        print(f"test/{name:<10} {figure:.4f}")
    if not model.settings.classes:
        for line in largest_errors(samples, targets, logits):
            print(line)
        return
    matrix = confusion_matrix(logits.argmax(1), targets, len(model.settings.classes))
    worst = worst_mistakes(logits.softmax(1), targets)
    captions = [caption(logits[i], targets[i], model.settings.classes) for i in worst[:WORST_IN_GRID].tolist()]
    for line in [*table(matrix, model.settings.classes), *mistakes_in_lines(worst.tolist(), captions)]:
        print(line)
    folder = run.folder if run.config.is_file() else logs_folder(flags.default_root_dir) / model.settings.task / "test"
    step = read_checkpoint(path).get("global_step", 0)
    charts = {"confusion": confusion_chart(matrix, model.settings.classes), **mistakes_chart(samples[worst], captions)}
    try:
        log_charts(folder, step, charts)
    except OSError as error:
        raise Failure(f"can't write to {folder} ({error.strerror}): choose another --default_root_dir") from None
    print(f"images           tensorboard --logdir {folder}")
    if flags.pictures is not None:
        write_pictures(Path(flags.pictures), charts)


def task_of(model: MLP, run: Run, flags: argparse.Namespace) -> Task:
    """The task that the model was trained for, with the settings of its run, if it lies in one.

    Raises:
        Failure: if there is no such task here.
    """
    kind = TASKS.get(model.settings.task)
    if kind is None or kind().description != {name: model.settings[name] for name in kind().description}:
        raise Failure(f"the checkpoint's task is {model.settings.task}, which there isn't here in that form")
    settings = run.read_config() or {}
    if flags.data_dir is not None:
        settings["data_dir"] = flags.data_dir
    names = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in settings.items() if name in names})


def test(model: MLP, task: Task) -> tuple[Tensor, dict[str, float]]:
    """The logits (samples, outputs) of the test set, and the same figures as at the end of fitting."""
    metrics = EpochMetrics(model.settings.outputs, model.settings.loss)
    logits = []
    with torch.inference_mode():
        for batch in task.test_dataloader():
            logits.append(model(batch.samples))  # (batch, outputs)
            metrics.collect(model.loss(logits[-1], batch.targets), logits[-1], batch.targets)
    return torch.cat(logits), {name: float(figure) for name, figure in metrics.compute().items()}


def confusion_matrix(predictions: Tensor, targets: Tensor, classes: int) -> Tensor:
    """How many samples of class i (row) were taken for class j (column), from two tensors (samples,)."""
    return torch.bincount(targets * classes + predictions, minlength=classes**2).view(classes, classes)


def worst_mistakes(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The indices (mistakes,) of wrongly classified samples, those that the model was surest of first.

    Args:
        probabilities: (samples, classes).
        targets: (samples,).
    """
    surest, predictions = probabilities.max(1)  # (samples,), (samples,)
    wrong = (predictions != targets).nonzero().squeeze(1)  # (mistakes,)
    return wrong[surest[wrong].argsort(descending=True, stable=True)]


def table(matrix: Tensor, classes: list[str]) -> list[str]:
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


def caption(logits: Tensor, target: Tensor, classes: list[str]) -> str:
    """A mistake's truth, prediction and probability, each on a line, from one sample's logits (classes,)."""
    probability, prediction = logits.softmax(0).max(0)
    return f"{classes[int(target)]},\nnot {classes[int(prediction)]}\n({float(probability):.1%})"


def mistakes_in_lines(worst: list[int], captions: list[str]) -> list[str]:
    """How many mistakes there are, and the very worst of them, each on a line."""
    texts = [text.replace("\n", " ") for text in captions[:WORST_IN_LINES]]
    lines = [f"  sample {index}: {text}" for index, text in zip(worst, texts, strict=False)]
    return ["", f"{len(worst)} mistakes" + (", the surest of them (truth, not prediction):" if worst else ""), *lines]


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


def mistakes_chart(worst: Tensor, captions: list[str]) -> dict[str, Image]:
    """The worst mistakes (mistakes, *sample_shape) with their captions, where samples are images and there are any."""
    if worst.dim() != 4 or worst.shape[1] not in (1, 3) or not captions:
        return {}
    return {"worst_mistakes": captioned_grid(worst[: len(captions)], captions)}


def log_charts(folder: Path, step: int, charts: dict[str, Image]) -> None:
    """Show the charts in TensorBoard."""
    with SummaryWriter(str(folder)) as writer:
        for name, chart in charts.items():
            writer.add_image(f"test/{name}", as_array(chart), step, dataformats="HWC")


def write_pictures(folder: Path, charts: dict[str, Image]) -> None:
    """Write the charts as PNG files.

    Raises:
        Failure: if they can't be written.
    """
    for name, chart in charts.items():
        path = folder / f"{name.removeprefix('worst_')}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_durably(path, partial(chart.save, format="PNG"))
        except OSError as error:
            raise Failure(f"can't write {path} ({error.strerror}): choose another --pictures") from None
        print(f"picture          {path}")
