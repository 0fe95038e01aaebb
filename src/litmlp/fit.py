"""``scripts/fit.py``: builds task, model and Trainer from the flags, trains, tests the best checkpoint, and tells."""

import errno
import logging
import os
import re
import threading
import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.loggers import TensorBoardLogger

from litmlp import processes
from litmlp.command import RUN_VARIABLE, Command, read_command
from litmlp.console import INTERRUPTION
from litmlp.errors import Failure, UsageError
from litmlp.mlp import MLP
from litmlp.report import log_hyperparameters, show, test_best
from litmlp.resume import Checkpoints
from litmlp.runs import Run, cannot_write, read_resume_point
from litmlp.tasks import TASKS
from litmlp.tasks.task import Task
from litmlp.trainer import as_list, check_flags_against_data, make_trainer

OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
LIMITS = ("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps")


def main(argv: list[str]) -> None:
    """Run the command. Everything that can be wrong is checked before the run's folder is made.

    Raises:
        UsageError: if a flag is wrong, or contradicts the run that is to go on.
        Failure: if the data, a file or the machine isn't as it has to be.
    """
    silence_what_helps_nobody()
    command = read_command(argv)
    results = command.run.read_results() if command.run is not None else None
    if command.run is not None and results is not None and not goes_on(command, results):
        print(f"{command.run.folder} is complete")
        show(results, command.run)
        return
    task, model = make_task_and_model(command)
    checkpoints = Checkpoints(INTERRUPTION)
    trainer = make_trainer(command, checkpoints)
    load_data(task, model, trainer)
    check_flags_against_data(trainer, task, model)
    if command.settings.fast_dev_run:
        trainer.fit(model, datamodule=task)
        trainer.test(model, datamodule=task)
        return
    start_from, resume_point = choose_resume_point(command, model, trainer)
    run = checkpoints.run = open_run(command, trainer, start_from)
    INTERRUPTION.advice = f"go on with --resume {run.folder}"
    INTERRUPTION.deferred = True
    try:
        add_logger(trainer, command, run, model, resume_point)
        trainer.fit(model, datamodule=task, ckpt_path=start_from, weights_only=True)
        INTERRUPTION.deferred = False
        if INTERRUPTION.signum:
            INTERRUPTION.leave(INTERRUPTION.signum)
        results = test_best(trainer, model, task, checkpoints)
        if trainer.is_global_zero:
            log_hyperparameters(trainer, command.text, results)
            run.write_results(results)
    except OSError as error:  # so TensorBoard's writer reports a full disk
        if error.errno not in OF_THE_DISK:
            raise
        raise cannot_write(run.folder, error) from error
    except RuntimeError as error:  # so gloo reports that a process has gone
        if not re.search("Connection (closed|reset) by peer", str(error)):
            raise
        raise Failure(f"another process of this run has died: {INTERRUPTION.advice}") from error
    finally:
        INTERRUPTION.deferred = False
    if trainer.is_global_zero:
        show(results, run)
        for line in task.describe(lambda samples: model(samples.to(model.device)).cpu()):
            print(line)


def silence_what_helps_nobody() -> None:
    """Leave out Lightning's adverts, and what doesn't apply here, is told twice, or only its authors can mend."""
    # What TensorBoard's thread can't write to a full disk, the main thread is told as well.
    threading.excepthook = lambda failed: None if failed.exc_type is OSError else threading.__excepthook__(failed)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)  # inside Lightning
    warnings.filterwarnings("ignore", ".*torch.jit.trace.* is deprecated")  # inside SummaryWriter
    warnings.filterwarnings("ignore", ".*smaller than the logging interval")  # we log by the step, not the batch


def goes_on(command: Command, results: dict[str, Any]) -> bool:
    """Whether a complete run is given limits with which there is more to do."""
    settings, stored = yaml.safe_load(command.text), command.stored or {}
    changed = any(settings.get(limit) != stored.get(limit) for limit in LIMITS)
    return changed and not 0 < command.settings.max_epochs <= results["epochs"]


def make_task_and_model(command: Command) -> tuple[Task, MLP]:
    """The task, and the model with the initial weights that the seed decides."""
    task = TASKS[command.settings.task](**command.arguments(TASKS[command.settings.task]))
    torch.manual_seed(task.seed)
    return task, MLP(**task.description, **command.arguments(MLP))


def load_data(task: Task, model: MLP, trainer: Trainer) -> None:
    """Load the training split, and let the model standardise by it.

    Raises:
        Failure: if the data can't be had.
    """
    if isinstance(trainer.accelerator, CPUAccelerator):
        # Torch's optimizers look for an accelerator at every step; without this they ask the driver each time.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if trainer.local_rank == 0:
        task.prepare_data()
    model.standardise(*task.mean_and_deviation())


def choose_resume_point(command: Command, model: MLP, trainer: Trainer) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint to go on from, and its content; None and {} for a start from the beginning.

    Damaged checkpoints are named on stderr and passed over: the run goes on exactly from the one before.

    Raises:
        Failure: if the checkpoint that was named can't be used.
        UsageError: if it can't be used with these flags.
    """
    if command.run is None:
        return None, {}
    path = command.resume_from
    if path is not None:
        content = read_resume_point(path)
    else:
        path, content = command.run.newest_resume_point()
    if path is None:
        return None, {}
    differing = [name for name, value in content["hyper_parameters"].items() if model.hparams.get(name) != value]
    if differing:
        name = differing[0]
        raise Failure(
            f"{path} is another model's checkpoint: its {name} is {content['hyper_parameters'][name]},"
            f" not {model.hparams.get(name)}"
        )
    model.check_weights(content["state_dict"], path)
    progress = content["loops"]["fit_loop"]["epoch_progress"]["current"]
    if 0 < command.settings.max_epochs < progress["processed"]:
        raise UsageError(
            f"--max_epochs {command.settings.max_epochs}: the run has already made {progress['processed']} epochs"
        )
    processes_before = len(content["train_metrics"])
    if progress["ready"] > progress["processed"] and processes_before != trainer.world_size:
        raise UsageError(
            f"{path} was written within an epoch by {processes_before} processes: it can't go on with"
            f" {trainer.world_size}; choose --devices accordingly"
        )
    return path, content


def open_run(command: Command, trainer: Trainer, resume_point: Path | None) -> Run:
    """The run's folder, with the settings in it: made, if this is its start."""

    def choose() -> Path:
        return command.run.folder if command.run else Run.new(command.logs, command.settings.task).folder

    device_type = trainer.strategy.root_device.type
    run = Run(processes.join(device_type, choose) if processes.under_torchrun() else choose())
    if trainer.is_global_zero:
        run.open(command.text, resume_point)
    if trainer.strategy.launcher is not None:
        os.environ[RUN_VARIABLE] = str(run.folder)  # for the processes that the Trainer is about to start
    return run


def add_logger(trainer: Trainer, command: Command, run: Run, model: MLP, resume_point: dict[str, Any]) -> None:
    """Give the Trainer the run's TensorBoard logger, or what ``--logger`` says instead.

    Curves that go on behind the resume point, or begin anew, replace what an interrupted process had logged there.
    """
    wanted = command.settings.logger
    if wanted is False:
        return
    if wanted is not None and wanted is not True:
        trainer.loggers = as_list(wanted)
        return
    logger = TensorBoardLogger(
        run.folder.parent.parent,
        run.folder.parent.name,
        run.folder.name,
        default_hp_metric=False,
        purge_step=resume_point.get("global_step", 0),
    )
    trainer.loggers = [logger]
    if not resume_point and trainer.is_global_zero:
        logger.experiment.add_graph(model.network, torch.zeros(1, *model.sample_shape))
