"""What is checked before a run's folder is made, because the Trainer would only stumble over it under way."""

import math
from numbers import Real
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer

from litmlp.errors import UsageError
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP
from litmlp.training.optimizers import check_schedule


def as_list(value: Any) -> list[Any]:
    """A flag's value that may be a list, one item or nothing, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def check_flags(settings: Namespace) -> None:
    """Check what the Trainer would only stumble over when the run is under way.

    Raises:
        UsageError: if a flag is out of its range, or goes against another or against how a run works.
    """
    for name in ("limit_train_batches", "val_check_interval"):
        if isinstance(settings[name], Real) and settings[name] == 0:
            raise UsageError(f"--{name} {settings[name]}: must be above 0")
    check_schedule(settings.schedule, math.inf if settings.max_epochs == settings.max_steps == -1 else 1)
    for callback in as_list(settings.callbacks):
        if getattr(callback, "save_last", None):
            raise UsageError("--callbacks.save_last true: last.ckpt is the run's own resume point; leave the flag out")


def check_flags_against_data(trainer: Trainer, task: Task, model: MLP) -> None:
    """Check what the Trainer would only stumble over when the run is under way, and that depends on the data.

    Raises:
        UsageError: if a flag doesn't go with the number of samples, or there is no such metric to monitor.
    """
    samples, step_size = len(task.split("train")[0]), task.batch_size * trainer.world_size
    batches, limit = math.ceil(samples / step_size), trainer.limit_train_batches
    kept = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if kept < 1:
        raise UsageError(f"--limit_train_batches {limit}: nothing is left of the epoch's {batches} batches")
    interval = trainer.val_check_interval
    if isinstance(interval, int) and interval > kept and trainer.check_val_every_n_epoch is not None:
        raise UsageError(f"--val_check_interval {interval}: an epoch has {kept} batches only")
    if model.settings.batch_norm and min(step_size, samples % step_size or step_size) < 2 * trainer.world_size:
        raise UsageError(
            f"--batch_size {task.batch_size}: {samples} samples make a batch of a single one, which --batch_norm can't"
            " normalise; choose another --batch_size"
        )
    metrics = [f"{stage}/{name}" for stage in ("val", "train") for name in ("loss", model.val_metrics.score_name)]
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        monitored = getattr(callback, "monitor", None)
        if type(callback).__module__.startswith("lightning.") and monitored not in (None, *metrics):
            raise UsageError(
                f"--callbacks.monitor {monitored}: there is no such metric; there are {', '.join(metrics)}"
            )
