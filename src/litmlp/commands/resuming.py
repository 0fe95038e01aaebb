"""Which checkpoint a run resumes from, once it is known to fit the flags."""

import sys
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from litmlp.errors import Failure, UsageError
from litmlp.runs import Run
from litmlp.settings.command_line import Command
from litmlp.tasks.task import Task
from litmlp.training.checkpoint_io import is_between_epochs, newest_resume_point, read_resume_point
from litmlp.training.mlp import MLP
from litmlp.training.resume_check import check_resume_point, find_difference


def choose_resume_point(
    command: Command, model: MLP, trainer: Trainer, task: Task
) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint to resume from, and its content; None and {} for a start from the beginning.

    Damaged checkpoints are named on stderr and skipped: the run resumes exactly from the one before.

    Raises:
        Failure: if the checkpoint that was named can't be used, the run's can't be replaced, or its data are others.
        UsageError: if it can't be used with these flags.
    """
    if command.run is None:
        return None, {}
    path = command.resume_from
    if path is not None:
        content = read_resume_point(path)
    else:
        path, content = newest_resume_point(command.run)
        if path is not None and is_of_others(content, trainer):
            path, content = point_between_epochs(command.run, trainer)
    command.run.check_replaceable(path)
    if path is None:
        return None, {}
    found, expected = (flat(parameters) for parameters in (content["hyper_parameters"], dict(model.hparams)))
    check_columns(found.get("table"), expected.get("table"), path)
    for name, value in found.items():
        if find_difference(value, expected.get(name)) is not None or value != expected.get(name):
            raise Failure(
                f"{path} is another model's checkpoint: its {name} is {str(value)[:200]}, not {expected.get(name)}"
            )
    check_resume_point(content, model, trainer, path)
    progress = content["loops"]["fit_loop"]["epoch_progress"]["current"]
    if 0 < command.settings.max_epochs < progress["processed"]:
        raise UsageError(
            f"--max_epochs {command.settings.max_epochs}: the run has already made {progress['processed']} epochs"
        )
    if is_of_others(content, trainer):
        raise UsageError(
            f"{path} was written within an epoch by {len(content['train_metrics'])} processes: it can't be resumed with"
            f" {trainer.world_size}; choose --devices accordingly"
        )
    trainer.precision_plugin.convert_module(model)  # as when the statistics in the checkpoint were rounded
    model.standardise_by(task)
    model.check_data(content["state_dict"])
    return path, content


def is_of_others(content: dict[str, Any], trainer: Trainer) -> bool:
    """Whether a resume point lies within an epoch that another number of processes has begun."""
    return not is_between_epochs(content) and len(content["train_metrics"]) != trainer.world_size


def point_between_epochs(run: Run, trainer: Trainer) -> tuple[Path | None, dict[str, Any]]:
    """The newest resume point that any number of processes can resume from, and its content; None and {} if none is."""
    path, content = None, {}
    if run.previous.exists() and is_between_epochs(previous := read_resume_point(run.previous)):
        path, content = run.previous, previous
    where = path or "the beginning"
    note(f"{run.last} was written within an epoch by more or fewer processes: resuming from {where}", trainer)
    return path, content


def share_steps(task: Task, trainer: Trainer, content: dict[str, Any]) -> None:
    """Give each process its part of a step of the run, which another number of processes may have begun.

    Args:
        task: whose ``batch_size`` is adapted.
        trainer: that knows how many processes there are.
        content: of the checkpoint to resume from; {} for a start from the beginning.
    """
    if not content:
        return
    before, now = len(content["train_metrics"]), trainer.world_size
    samples = content["callbacks"]["ResumePoints"].get("samples_per_step")  # earlier versions kept none
    if not isinstance(samples, int) or samples < now:
        samples = before * task.batch_size
    if samples % now == 0:
        task.batch_size = samples // now
        what = f"a step still has {samples} samples, but their gradients are summed in another order"
    else:
        what = f"a step has {now * task.batch_size} samples instead of {samples}"
    if before != now:
        what += ", and dropout and augmentation differ"
        note(f"{before} processes trained this run before, {now} now: {what}", trainer)


def note(text: str, trainer: Trainer) -> None:
    """Print a note, once for all processes."""
    if trainer.is_global_zero:
        print(f"note: {text}", file=sys.stderr, flush=True)


def check_columns(found: dict[str, Any] | None, expected: dict[str, Any] | None, path: Path) -> None:
    """Raise a Failure if the columns of a table aren't those that a checkpoint was made with."""
    if found is None or expected is None or found == expected:
        return
    before, now = ({column["name"]: column for column in table["columns"]} for table in (found, expected))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    what = f"the column {changed[0]} isn't" if changed else "the target or what counts as missing isn't"
    raise Failure(f"{path} was made with other data: {what} what it was then")


def flat(parameters: dict[str, Any]) -> dict[str, Any]:
    """A model's hyperparameters, with those of its spec among them."""
    return {**{name: value for name, value in parameters.items() if name != "spec"}, **parameters["spec"]}
