"""What a run says of itself: what computes where on what, and where it resumes or stops."""

import platform
import re
import sys
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

from litmlp.errors import printable
from litmlp.tasks.loader import fits
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP


def announce(trainer: Trainer, task: Task, model: MLP, threads: int) -> None:
    """Print a line each for the device and precision, the threads, the samples and the parameters.

    After the samples' line come those of the task's description.
    """
    processes = f"{trainer.world_size} × " if trainer.world_size > 1 else ""
    device = trainer.strategy.root_device
    training, validation = (len(task.split(name)[0]) for name in ("train", "val"))
    same = task.splits["train"] is task.splits["val"]
    validated = "the same to validate on" if same else f"{validation:,} to validate on"
    test = task.splits.get("test")
    tested = "those of the test are read at the end" if test is None else f"{len(test[0]):,} to test on"
    print(f"device           {processes}{device_name(device)}, precision {trainer.precision}")
    print(f"threads          {threads}{' in each process' if processes else ''}")
    print(f"samples          {training:,} to train on, {validated}; {tested}")
    if not task.stored and not fits(sum(tensor.nbytes for tensor in task.split("train")), device):
        print("                 too large for the device's memory: each batch is copied there")
    for line in task.description():
        print(printable(line))
    print(f"parameters       {sum(parameter.numel() for parameter in model.parameters()):,}", flush=True)


def device_name(device: torch.device) -> str:
    """The device's type and, of an accelerator, its name."""
    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def announce_resume(content: dict[str, Any], device: torch.device) -> None:
    """Print where a run resumes from a resume point, and if its bits will not be those of an uninterrupted run."""
    progress = content["loops"]["fit_loop"]["epoch_progress"]["current"]
    print(f"resuming at epoch {progress['processed'] + 1}, step {content['global_step']:,}", flush=True)
    before, now = content["callbacks"]["ResumePoints"]["arithmetic"], arithmetic(device)
    if before != now:
        print(f"note: begun with {before}, resumed with {now}: the last bits may differ", file=sys.stderr)


def arithmetic(device: torch.device) -> str:
    """What the last bits of a result on a device depend on, beside the settings."""
    if device.type == "cuda":
        name = re.sub(r"[^\w.+-]+", " ", torch.cuda.get_device_name(device)).strip()
        return f"torch {torch.__version__} on {name} with CUDA {torch.version.cuda}"
    if device.type != "cpu":
        return f"torch {torch.__version__} on {device.type}"
    capability = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"torch {torch.__version__} on {capability}"


def announce_early_stop(trainer: Trainer, epochs: int) -> None:
    """Print at which epoch and why a run was stopped before its limits."""
    reasons = [
        f"{callback.monitor} hasn't improved in {callback.patience} validations"
        for callback in trainer.early_stopping_callbacks
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch
    ]
    print(f"stopped early at epoch {epochs}: {', '.join(reasons) or 'its time is up, or a callback asked for it'}")
