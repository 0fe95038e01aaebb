"""The Trainer from its flags, with what belongs to every run of ours."""

import inspect
import sys
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from litmlp.errors import UsageError
from litmlp.training.callbacks import Bar, EpochLines, SeedEachStep, StepCurves
from litmlp.training.internals import average_on_device
from litmlp.training.policy import REFUSALS
from litmlp.training.preflight import as_list, check_flags
from litmlp.training.reports import reports
from litmlp.training.resume import ResumePoints
from litmlp.training.speed import NoProfiler, hide_gpus
from litmlp.training.torchrun import default_num_nodes

DOUBLE = ("64-true", "64", 64)
HALF = ("16-mixed", "16", 16)  # for which Lightning takes bfloat16 on a CPU


def make_trainer(settings: Namespace, logs: Path, points: ResumePoints) -> Trainer:
    """The Trainer, with our callbacks beside the user's. It has no logger yet.

    Args:
        settings: the value of every flag.
        logs: where runs are.
        points: the callback that writes the run's checkpoints.

    Raises:
        UsageError: if a flag is out of its range, or the Trainer refuses it.
        Failure: if something is to be written where it can't be.
    """
    check_flags(settings)
    given = arguments_of(Trainer, settings)
    build = partial(build_trainer, settings=settings, logs=logs, points=points)
    try:
        trainer = build(given)
    except REFUSALS as error:
        raise UsageError(f"{culprit(given, str(error), build)}{error}") from error
    if settings.precision in DOUBLE and trainer.strategy.root_device.type == "mps":
        raise UsageError(f"--precision {settings.precision}: this device has no float64; choose 32-true")
    if settings.precision in HALF and trainer.precision == "bf16-mixed":
        raise UsageError(f"--precision {settings.precision}: needs a GPU; on a CPU choose bf16-mixed")
    return trainer


def build_trainer(given: dict[str, Any], settings: Namespace, logs: Path, points: ResumePoints) -> Trainer:
    """The Trainer of the Trainer's flags, which raises what Lightning raises.

    Args:
        given: the Trainer's flags.
        settings: the value of every flag.
        logs: where runs are.
        points: the callback that writes the run's checkpoints. A --fast_dev_run writes none.
    """
    options = dict(given)
    own = as_list(options["callbacks"])
    bars = [callback for callback in own if isinstance(callback, ProgressBar)]
    if options["enable_progress_bar"] is None:
        options["enable_progress_bar"] = bool(bars) or sys.stdout.isatty()
    bar = [Bar(refresh_rate=10)] if options["enable_progress_bar"] and not bars else []
    options["callbacks"] = [
        SeedEachStep(settings.seed),
        StepCurves(options["log_every_n_steps"] or 50),
        *own,
        *bar,
        EpochLines(),
        *reports(),
        *([] if options["fast_dev_run"] else [points]),
    ]
    options["profiler"] = options["profiler"] or NoProfiler()
    options["plugins"] = [*as_list(options["plugins"])]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        # Lightning's requeueing saves at inexact moments; a requeued job runs the same command, and that resumes.
        options["plugins"].append(SLURMEnvironment(auto_requeue=False))
    options["num_nodes"] = max(options["num_nodes"], default_num_nodes())
    # On SLURM Lightning looks there for checkpoints of its own to start from. It never finds any.
    options["default_root_dir"] = str(logs)
    options["logger"] = DummyLogger() if options["fast_dev_run"] and options["logger"] is not False else False
    return Trainer(**options)


def culprit(given: dict[str, Any], message: str, build: Callable[[dict[str, Any]], Trainer]) -> str:
    """The flag that one of the Trainer's errors is about, with its value.

    It is the first one without which there is no error; if several are wrong, the first without which it is another.
    """
    changed = [
        (name, parameter.default)
        for name, parameter in inspect.signature(Trainer).parameters.items()
        if name in given and given[name] is not None and given[name] != parameter.default
    ]
    suspects = []
    for name, default in changed:
        flag = f"--{name} {', '.join(value_in_words(value) for value in as_list(given[name]))}: "
        try:
            with warnings.catch_warnings(action="ignore"):
                build({**given, name: default})
        except REFUSALS as error:
            suspects += [flag] if str(error) != message else []
        else:
            return flag
    return (suspects or [""])[0]


def value_in_words(value: Any) -> str:
    """A flag's value as it is written: an object by its class."""
    return str(value) if isinstance(value, Real | str | dict) else type(value).__name__


def arguments_of(constructor: Callable[..., Any], settings: Namespace) -> dict[str, Any]:
    """The settings that are the constructor's arguments."""
    names = inspect.signature(constructor).parameters
    return {name: value for name, value in vars(settings).items() if name in names}


def prepare_device(trainer: Trainer) -> None:
    """Hide GPUs from a training on the CPU, which would look for them at every step.

    On a GPU, have cuDNN choose kernels that give the same bits each time, and averages of the weights made there.
    """
    if isinstance(trainer.accelerator, CPUAccelerator):
        hide_gpus()
    else:
        torch.backends.cudnn.deterministic = True
    average_on_device(trainer)
