"""Which of Lightning's own classes a run can have: what can't be resumed exactly, or has no use here, is refused."""

from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from lightning.fabric.plugins.environments import ClusterEnvironment
from lightning.pytorch import Callback
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    BaseFinetuning,
    BasePredictionWriter,
    BatchSizeFinder,
    DeviceStatsMonitor,
    GradientAccumulationScheduler,
    LearningRateFinder,
    ModelCheckpoint,
    ModelPruning,
    OnExceptionCheckpoint,
    SpikeDetection,
    StochasticWeightAveraging,
    Timer,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.plugins import (
    AsyncCheckpointIO,
    CheckpointIO,
    DeepSpeedPrecision,
    FSDPPrecision,
    LayerSync,
    MixedPrecision,
    Precision,
    TorchCheckpointIO,
    XLACheckpointIO,
)
from lightning.pytorch.profilers import Profiler, XLAProfiler
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from litmlp.errors import UsageError
from litmlp.ranges import check_ranges
from litmlp.training.model_checkpoint import ExactModelCheckpoint

# The flags that take instances of a class.
FLAGS: dict[type, str] = {
    Accelerator: "accelerator",
    Callback: "callbacks",
    Logger: "logger",
    Profiler: "profiler",
    Strategy: "strategy",
    **dict.fromkeys((CheckpointIO, ClusterEnvironment, LayerSync, Precision), "plugins"),
}

NO_BACKBONE = "the network has no backbone that is trained already"
OWN_CHECKPOINTS = "a run writes its checkpoints itself"
OF_A_STRATEGY = "it works with a --strategy that no run has; use --precision"
RENAMED = "lightning.pytorch._graveyard."  # where Lightning keeps the former names of classes
# Classes, with why a run can't have them. Those that derive from them are a user's own business.
REFUSED: dict[type, str] = {
    BackboneFinetuning: NO_BACKBONE,
    BaseFinetuning: NO_BACKBONE,
    BasePredictionWriter: "fitting makes no predictions; use predict.py",
    BatchSizeFinder: "what fits into this machine's memory can't be repeated on another; choose --batch_size",
    GradientAccumulationScheduler: "the learning rate's schedule has to know the steps; use --accumulate_grad_batches",
    LearningRateFinder: "it can't be resumed; compare some values with compare.py --vary lr '[0.1,0.01,0.001]'",
    ModelPruning: "it replaces the parameters by others, which the network of a checkpoint doesn't have",
    OnExceptionCheckpoint: "where an error comes no run can be resumed exactly; last.ckpt is there to resume from",
    SpikeDetection: "Lightning can't load its state, so the run couldn't be resumed",
    StochasticWeightAveraging: "it can't be resumed exactly within an epoch; use WeightAveraging or EMAWeightAveraging",
    Timer: "use --max_time",
    DeepSpeedPrecision: OF_A_STRATEGY,
    FSDPPrecision: OF_A_STRATEGY,
    AsyncCheckpointIO: OWN_CHECKPOINTS,
    TorchCheckpointIO: OWN_CHECKPOINTS,
    XLACheckpointIO: OWN_CHECKPOINTS,
    XLAProfiler: "it profiles TPUs, on which no run has been tried; use simple, advanced or pytorch",
}
# What the constructors of Lightning's classes raise for values that can't be, and packages that are missing.
REFUSALS = (MisconfigurationException, ImportError, ValueError, TypeError, OverflowError, RuntimeError, AssertionError)


def construct(kind: type, flag: str, arguments: dict[str, Any]) -> Any:
    """An instance of a class that a flag names, if a run can have it; of a logger to files, one without its folder yet.

    Args:
        kind: the class.
        flag: the flag's name.
        arguments: the constructor's.

    Raises:
        UsageError: if the class is refused, or an argument of one of Lightning's classes is wrong. What a user's own
            class raises is left alone.
    """
    if kind in REFUSED:
        raise UsageError(f"--{flag} {kind.__name__}: {REFUSED[kind]}")
    if kind.__module__.startswith(RENAMED):
        raise UsageError(f"--{flag} {kind.__name__}: Lightning calls it {kind.__mro__[1].__name__} now; name that")
    if not kind.__module__.startswith("lightning."):
        return kind(**arguments)
    check_ranges(arguments, f"{flag}.")
    name = kind.__name__
    if kind is ModelCheckpoint:
        kind = ExactModelCheckpoint
    if kind in (CSVLogger, TensorBoardLogger):
        return partial(kind, **arguments)
    if kind is DeviceStatsMonitor and arguments["cpu_stats"] is not False and find_spec("psutil") is None:
        raise UsageError(f"--{flag} {kind.__name__}: needs psutil: python -m pip install psutil")
    try:
        if issubclass(kind, WeightAveraging) and arguments["device"] is not None:
            torch.empty(0, device=arguments["device"])
        if issubclass(kind, MixedPrecision):
            torch.autocast(arguments["device"])
        return kind(**arguments)
    except UsageError:
        raise
    except REFUSALS as error:
        raise UsageError(f"--{flag} {name}: {error}") from error
