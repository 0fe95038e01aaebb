"""The Trainer from its flags, with what belongs to every run of ours."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from litmlp.errors import UsageError
from litmlp.messages import flag_in
from litmlp.training.callbacks import Bar, EpochLines, SeedEachStep, StepCurves
from litmlp.training.preflight import as_list, check_flags
from litmlp.training.resume import ResumePoints
from litmlp.training.speed import NoProfiler, hide_gpus
from litmlp.training.torchrun import default_num_nodes


def make_trainer(settings: Namespace, logs: Path, points: ResumePoints) -> Trainer:
    """The Trainer, with our callbacks beside the user's. It has no logger yet.

    Args:
        settings: the value of every flag.
        logs: where runs are.
        points: the callback that writes the run's checkpoints.

    Raises:
        UsageError: if a flag is out of its range, or the Trainer refuses it.
    """
    check_flags(settings)
    options = arguments_of(Trainer, settings)
    given = dict(options)
    if options["enable_progress_bar"] is None:
        options["enable_progress_bar"] = sys.stdout.isatty()
    options["callbacks"] = [
        SeedEachStep(settings.seed),
        StepCurves(options["log_every_n_steps"] or 50),
        *as_list(options["callbacks"]),
        *([Bar(refresh_rate=10)] if options["enable_progress_bar"] else []),
        EpochLines(),
        points,
    ]
    options["profiler"] = options["profiler"] or NoProfiler()
    options["plugins"] = as_list(options["plugins"])
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        # Lightning's requeueing saves at inexact moments; a requeued job runs the same command, and that resumes.
        options["plugins"].append(SLURMEnvironment(auto_requeue=False))
    options["num_nodes"] = max(options["num_nodes"], default_num_nodes())
    # On SLURM Lightning looks there for checkpoints of its own to start from. It never finds any.
    options["default_root_dir"] = str(logs)
    options["logger"] = False
    try:
        return Trainer(**options)
    except (MisconfigurationException, ValueError, TypeError, ImportError, RuntimeError) as error:
        raise UsageError(f"{flag_in(str(error), given)}{error}") from error


def arguments_of(constructor: Callable[..., Any], settings: Namespace) -> dict[str, Any]:
    """The settings that are the constructor's arguments."""
    names = inspect.signature(constructor).parameters
    return {name: value for name, value in vars(settings).items() if name in names}


def prepare_device(trainer: Trainer) -> None:
    """Hide GPUs from a training on the CPU, which would look for them at every step."""
    if isinstance(trainer.accelerator, CPUAccelerator):
        hide_gpus()
