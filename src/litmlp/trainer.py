"""The Trainer from its flags, with what belongs to every run of ours."""

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from numbers import Real
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from litmlp import processes
from litmlp.checkpoints import SafeCheckpointIO
from litmlp.command import Command
from litmlp.errors import UsageError
from litmlp.mlp import MLP
from litmlp.progress import EpochLines, StepCurves
from litmlp.randomness import SeedEachStep
from litmlp.resume import Checkpoints
from litmlp.tasks.task import Task

# The lowest values that make sense, where the Trainer itself doesn't check.
LOWEST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "gradient_clip_val": 0,
    "log_every_n_steps": 1,
    "num_nodes": 1,
}
ABOVE_ZERO = ("limit_train_batches", "val_check_interval")


def make_trainer(command: Command, checkpoints: Checkpoints) -> Trainer:
    """The Trainer, with our callbacks beside the user's. It has no logger yet.

    Raises:
        UsageError: if a flag is out of its range, or the Trainer refuses it.
    """
    options = command.arguments(Trainer)
    check_flags(command.settings)
    if options["enable_progress_bar"] is None:
        options["enable_progress_bar"] = sys.stdout.isatty()
    progress = TQDMProgressBar(refresh_rate=10) if options["enable_progress_bar"] else EpochLines()
    options["callbacks"] = [
        SeedEachStep(command.settings.seed),
        StepCurves(options["log_every_n_steps"] or 50),
        *as_list(options["callbacks"]),
        progress,
        checkpoints,
    ]
    options["profiler"] = options["profiler"] or NoProfiler()
    options["plugins"] = [*as_list(options["plugins"]), SafeCheckpointIO()]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        # Lightning's requeueing saves at inexact moments; a requeued job runs the same command, and that goes on.
        options["plugins"].append(SLURMEnvironment(auto_requeue=False))
    options["num_nodes"] = max(options["num_nodes"], processes.default_num_nodes())
    # On SLURM Lightning looks there for checkpoints of its own to start from. It never finds any.
    options["default_root_dir"] = str(command.logs)
    options["logger"] = False
    try:
        return Trainer(**options)
    except (MisconfigurationException, ValueError, TypeError, ImportError, RuntimeError) as error:
        raise UsageError(f"{flag_in(str(error), command.arguments(Trainer))}{error}") from error


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, at a seventh of the cost of Lightning's own: the Trainer enters it 42 times a step."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Profile nothing."""
        return nullcontext()


def as_list(value: Any) -> list[Any]:
    """A flag's value that may be a list, one item or nothing, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def check_flags(settings: Namespace) -> None:
    """Check what the Trainer would only stumble over when the run is under way.

    Raises:
        UsageError: if a flag is out of its range, or goes against another or against how a run works.
    """
    for name, lowest in LOWEST.items():
        if settings[name] is not None and settings[name] < lowest:
            raise UsageError(f"--{name} {settings[name]}: must be at least {lowest}")
    for name in ABOVE_ZERO:
        if isinstance(settings[name], Real) and settings[name] == 0:
            raise UsageError(f"--{name} {settings[name]}: must be above 0")
    if settings.schedule != "constant" and settings.max_epochs == settings.max_steps == -1:
        raise UsageError(f"--schedule {settings.schedule} needs an end: give --max_epochs")
    for callback in as_list(settings.callbacks):
        if getattr(callback, "save_last", None):
            raise UsageError("--callbacks.save_last true: last.ckpt is the run's own resume point; leave the flag out")


def check_flags_against_data(trainer: Trainer, task: Task, model: MLP) -> None:
    """Check what the Trainer would only stumble over when the run is under way, and that depends on the data.

    Raises:
        UsageError: if a flag doesn't go with the number of samples, or there is no such figure to monitor.
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
    figures = [f"{stage}/{name}" for stage in ("val", "train") for name in ("loss", model.val_metrics.score_name)]
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        monitored = getattr(callback, "monitor", None)
        if type(callback).__module__.startswith("lightning.") and monitored not in (None, *figures):
            raise UsageError(
                f"--callbacks.monitor {monitored}: there is no such figure; there are {', '.join(figures)}"
            )


def flag_in(message: str, options: dict[str, Any]) -> str:
    """What to put in front of one of the Trainer's messages: the flag that it is about, with its value."""
    given = {name: value for name, value in options.items() if isinstance(value, str | Real) and value != "auto"}
    places = {name: message.lower().find(name) for name in given}
    named = sorted((place, name) for name, place in places.items() if place >= 0)
    by_value = [(0, name) for name, value in given.items() if isinstance(value, str) and value in message]
    a_package_is_missing = [(0, name) for name in ("accelerator", "precision", "strategy") if name in given]
    return "".join(f"--{name} {given[name]}: " for _, name in (named or by_value or a_package_is_missing)[:1])
