"""What is checked before a run's folder is made, because the Trainer would only stumble over it under way."""

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor, LearningRateMonitor
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.profilers import Profiler, XLAProfiler

from litmlp.errors import UsageError, about
from litmlp.files import check_writable
from litmlp.tasks.task import Task
from litmlp.training.internals import looks_at_epoch_end
from litmlp.training.mlp import MLP
from litmlp.training.model_checkpoint import ExactModelCheckpoint
from litmlp.training.optimizers import check_schedule
from litmlp.training.policy import REFUSED
from litmlp.training.torchrun import under_torchrun

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_false", "ddp_find_unused_parameters_true")
MOST_DEVICES = 1024
# Flags of the Trainer's that a run has no use for: each with the value that changes nothing, and why.
WITHOUT_USE: dict[str, tuple[Any, str]] = {
    "barebones": (False, "a run has checkpoints and curves"),
    "enable_checkpointing": (True, "a run has checkpoints to resume from"),
    "model_registry": (None, "a run uploads no checkpoints"),
    "overfit_batches": (0, "each epoch has an order of its own, so that these aren't the same batches"),
}


def as_list(value: Any) -> list[Any]:
    """A flag's value that may be a list, one item or nothing, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def check_flags(settings: Namespace) -> None:
    """Check what the Trainer would only stumble over when the run is under way.

    Raises:
        UsageError: if a flag is out of its range, or goes against another or against how a run works.
        Failure: if a logger or a profiler is to write where that can't be done.
    """
    for name, (neutral, reason) in WITHOUT_USE.items():
        if settings[name] not in (None, neutral):
            raise UsageError(f"--{name} {settings[name]}: {reason}; leave the flag out")
    for name in ("limit_train_batches", "limit_test_batches", "val_check_interval"):
        if isinstance(settings[name], Real) and settings[name] == 0:
            raise UsageError(f"--{name} {settings[name]}: must be above 0")
    check_schedule(settings.schedule, math.inf if settings.max_epochs == settings.max_steps == -1 else 1)
    check_time(settings)
    check_processes(settings)
    check_callbacks(settings)
    check_places(settings)


def check_time(settings: Namespace) -> None:
    """Check the flags that say a time."""
    if isinstance(settings.val_check_interval, str | dict | timedelta):
        raise UsageError(
            f"--val_check_interval {settings.val_check_interval}: no run could be repeated; give it in batches, or as"
            " a fraction of an epoch"
        )
    if settings.max_time is not None and not 0 < seconds_of(settings.max_time) < math.inf:
        raise UsageError(f"--max_time {settings.max_time}: must be above 0, as DD:HH:MM:SS or like '{{hours: 1}}'")


def seconds_of(duration: str | dict[str, Any] | timedelta) -> float:
    """The seconds of a time in any form that Lightning takes; NaN if it is none, infinity if it is beyond all."""
    try:
        if isinstance(duration, str):
            found = re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", duration.strip())
            units = ("days", "hours", "minutes", "seconds")
            duration = dict(zip(units, map(int, found.groups()), strict=True)) if found else {"none": 0}
        return (timedelta(**duration) if isinstance(duration, dict) else duration).total_seconds()
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return math.nan


def check_processes(settings: Namespace) -> None:
    """Check the flags that say how many processes there are, and how they work together."""
    if settings.strategy not in STRATEGIES:
        raise UsageError(f"--strategy {settings.strategy}: must be auto or ddp, with which a run resumes exactly")
    if count_of(settings.devices) > MOST_DEVICES:
        raise UsageError(f"--devices {settings.devices}: must be at most {MOST_DEVICES}")
    if settings.num_nodes > 1 and not under_torchrun() and not SLURMEnvironment.detect():
        raise UsageError(f"--num_nodes {settings.num_nodes}: start fit.py on each machine with torchrun, or by SLURM")


def count_of(devices: Any) -> int:
    """How many devices a flag asks for by their number, up to one more than there can be; 0 if not by their number."""
    text = str(devices)
    return int(min(float(text), MOST_DEVICES + 1)) if text.isdecimal() else 0


def check_callbacks(settings: Namespace) -> None:
    """Check the callbacks together, and against the logger."""
    callbacks = as_list(settings.callbacks)
    for callback in callbacks:
        if isinstance(callback, LearningRateMonitor | DeviceStatsMonitor) and settings.logger in (False, []):
            raise UsageError(f"--callbacks {type(callback).__name__}: there is no logger; leave out --logger")
    names = [callback.filename for callback in callbacks if isinstance(callback, ExactModelCheckpoint)]
    for name in names:
        if names.count(name) > 1:
            raise UsageError("--callbacks.filename: each ModelCheckpoint needs one of its own, like 'best-{step}'")


def check_places(settings: Namespace) -> None:
    """Check that loggers and profilers can write to the places they were given."""
    profiler = settings.profiler
    if profiler == "xla":
        raise UsageError(f"--profiler xla: {REFUSED[XLAProfiler]}")
    places = {"profiler.dirpath": profiler.dirpath if isinstance(profiler, Profiler) else None}
    loggers = [logger for logger in as_list(settings.logger) if isinstance(logger, partial)]
    if len({logger.func for logger in loggers}) < len(loggers):
        raise UsageError("--logger: two of one class would write to the same files; leave one out")
    places |= {f"logger.save_dir of {logger.func.__name__}": logger.keywords["save_dir"] for logger in loggers}
    for flag, place in places.items():
        if place:
            with about(f"--{flag.partition(' ')[0]}:"):
                check_writable(Path(place), "choose another")


def check_flags_against_data(trainer: Trainer, task: Task, model: MLP) -> None:
    """Check what the Trainer would only stumble over when the run is under way, and that depends on the data.

    Raises:
        UsageError: if a flag doesn't go with the number of samples, or there is no such metric to monitor.
    """
    samples, step_size = len(task.split("train")[0]), task.batch_size * trainer.world_size
    kept = check_limit(trainer.limit_train_batches, "train", math.ceil(samples / step_size))
    for name, limit in (("val", trainer.limit_val_batches), ("test", trainer.limit_test_batches)):
        if isinstance(limit, float) and 0 < limit < 1:  # otherwise the test set isn't looked at before the test
            step = task.EVALUATION_BATCH * trainer.world_size
            check_limit(limit, name, math.ceil(len(task.split(name)[0]) / step))
    interval = trainer.val_check_interval
    if isinstance(interval, int) and interval > kept and trainer.check_val_every_n_epoch is not None:
        raise UsageError(f"--val_check_interval {interval}: an epoch has {kept} batches only")
    if model.settings.batch_norm and min(step_size, samples % step_size or step_size) < 2 * trainer.world_size:
        raise UsageError(
            f"--batch_size {task.batch_size}: {samples} samples make a batch of a single one, which --batch_norm can't"
            " normalise; choose another --batch_size"
        )
    metrics = [f"{stage}/{name}" for stage in ("val", "train") for name in model.val_metrics.names]
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for flag, metric in metrics_of(callback):
            with about(f"--callbacks.{flag} {metric}:"):
                check_metric(metric, metrics, looks_at_epoch_end(callback, trainer), trainer)


def check_limit(limit: float, name: str, batches: int) -> int:
    """The batches that a limit leaves of an epoch's.

    Raises:
        UsageError: if that is none.
    """
    kept = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    if kept < 1:
        raise UsageError(f"--limit_{name}_batches {limit}: nothing is left of the epoch's {batches} batches")
    return kept


def metrics_of(callback: Any) -> Iterator[tuple[str, str]]:
    """The metrics that one of Lightning's callbacks looks at, each with the flag that names it."""
    is_ours = isinstance(callback, ExactModelCheckpoint)
    if (is_ours or type(callback).__module__.startswith("lightning.")) and getattr(callback, "monitor", None):
        yield "monitor", callback.monitor
    if is_ours:
        yield from (("filename", name) for name in sorted(callback.metrics))


def check_metric(name: str, metrics: list[str], at_epoch_end: bool, trainer: Trainer) -> None:
    """Raise a UsageError if there is no such metric where a callback looks, in a run that was just resumed, too."""
    if name not in metrics:
        raise UsageError(f"there is no such metric; there are {', '.join(metrics)}")
    if name.startswith("train/") and not at_epoch_end:
        raise UsageError("at a validation the epoch's training metrics aren't known yet; choose one of val/")
    if name.startswith("val/"):
        if not trainer.limit_val_batches:
            raise UsageError(f"with --limit_val_batches {trainer.limit_val_batches} there is no validation")
        if at_epoch_end and (trainer.val_check_interval != 1.0 or trainer.check_val_every_n_epoch != 1):
            raise UsageError("not every epoch ends with a validation; have the callback look at the end of validations")
