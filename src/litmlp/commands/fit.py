"""``litmlp fit``: builds task, Trainer and model from the flags, trains, tests the best checkpoint, and reports."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer

from litmlp.errors import Failure, UsageError
from litmlp.files import output_fails, writing
from litmlp.model.loading import check_weights
from litmlp.runs import Run
from litmlp.settings.build import make_model, make_task
from litmlp.settings.command_line import RUN_VARIABLE, Command, read_command
from litmlp.signals import INTERRUPTION
from litmlp.training import torchrun
from litmlp.training.checkpoint_io import newest_resume_point, read_resume_point
from litmlp.training.loggers import add_loggers
from litmlp.training.mlp import MLP
from litmlp.training.preflight import check_flags_against_data
from litmlp.training.quiet import silence_libraries
from litmlp.training.results import log_hyperparameters, show, test_best
from litmlp.training.resume import ResumePoints
from litmlp.training.trainer import make_trainer, prepare_device

ADVICE = "make room or rights, or choose another --default_root_dir"
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
LIMITS = ("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps")


def main(argv: list[str], points: ResumePoints | None = None) -> None:
    """Run the command. Everything that can be wrong is checked before the run's folder is made.

    Args:
        argv: the flags.
        points: the callback that writes the run's checkpoints, by default as often as is cheap.

    Raises:
        UsageError: if a flag is wrong, or contradicts the run that is to be resumed.
        Failure: if the data, a file or the machine isn't as it has to be.
    """
    silence_libraries()
    command = read_command(argv)
    results = command.run.read_results() if command.run is not None else None
    if command.run is not None and results is not None and not continues(command, results):
        print(f"{command.run.folder} is complete")
        show(results, command.run)
        return
    points = points or ResumePoints(interruption=INTERRUPTION)
    trainer = make_trainer(command.settings, command.logs, points)
    prepare_device(trainer)
    task = make_task(command)
    torchrun.one_after_the_first(task.prepare_data)
    model = make_model(command, task, trainer.strategy.root_device)
    check_flags_against_data(trainer, task, model)
    if command.settings.fast_dev_run:
        trainer.fit(model, datamodule=task)
        trainer.test(model, datamodule=task)
        return
    start_from, resume_point = choose_resume_point(command, model, trainer)
    run = points.run = open_run(command, trainer, start_from)
    with saving_at_signals(run), one_line_for_what_breaks(run):
        add_loggers(trainer, command.settings.logger, run, model, resume_point)
        trainer.fit(model, datamodule=task, ckpt_path=start_from, weights_only=True)
        INTERRUPTION.deferred = False
        if INTERRUPTION.signum:
            INTERRUPTION.leave(INTERRUPTION.signum)
        results = test_best(trainer, model, task, points)
        if trainer.is_global_zero:
            log_hyperparameters(trainer, command.text, results)
            run.write_results(results)
    if trainer.is_global_zero:
        show(results, run)
        for line in task.summary(lambda samples: model(samples.to(model.device)).cpu()):
            print(line)


def continues(command: Command, results: dict[str, Any]) -> bool:
    """Whether a complete run is given limits with which there is more to do."""
    settings, stored = yaml.safe_load(command.text), command.stored or {}
    changed = any(settings.get(limit) != stored.get(limit) for limit in LIMITS)
    return changed and not 0 < command.settings.max_epochs <= results["epochs"]


def choose_resume_point(command: Command, model: MLP, trainer: Trainer) -> tuple[Path | None, dict[str, Any]]:
    """The checkpoint to resume from, and its content; None and {} for a start from the beginning.

    Damaged checkpoints are named on stderr and skipped: the run resumes exactly from the one before.

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
        path, content = newest_resume_point(command.run)
    if path is None:
        return None, {}
    found, expected = (flat(parameters) for parameters in (content["hyper_parameters"], dict(model.hparams)))
    for name, value in found.items():
        if value != expected.get(name):
            raise Failure(
                f"{path} is another model's checkpoint: its {name} is {str(value)[:200]}, not {expected.get(name)}"
            )
    check_weights(model, content["state_dict"], path)
    progress = content["loops"]["fit_loop"]["epoch_progress"]["current"]
    if 0 < command.settings.max_epochs < progress["processed"]:
        raise UsageError(
            f"--max_epochs {command.settings.max_epochs}: the run has already made {progress['processed']} epochs"
        )
    processes_before = len(content["train_metrics"])
    if progress["ready"] > progress["processed"] and processes_before != trainer.world_size:
        raise UsageError(
            f"{path} was written within an epoch by {processes_before} processes: it can't be resumed with"
            f" {trainer.world_size}; choose --devices accordingly"
        )
    return path, content


def flat(parameters: dict[str, Any]) -> dict[str, Any]:
    """A model's hyperparameters, with those of its spec among them."""
    return {**{name: value for name, value in parameters.items() if name != "spec"}, **parameters["spec"]}


def open_run(command: Command, trainer: Trainer, resume_point: Path | None) -> Run:
    """The run's folder, with the settings in it: made, if this is its start.

    Raises:
        Failure: if it can't be.
    """

    def choose() -> Path:
        task_logs = command.logs / command.task.task_name()
        with writing(task_logs, ADVICE):
            return command.run.folder if command.run else Run.new(command.logs, command.task.task_name()).folder

    device_type = trainer.strategy.root_device.type
    run = Run(torchrun.join(device_type, choose) if torchrun.under_torchrun() else choose())
    if trainer.is_global_zero:
        with writing(run.config, ADVICE):
            run.open(command.text, resume_point)
    if trainer.strategy.launcher is not None:
        os.environ[RUN_VARIABLE] = str(run.folder)  # for the processes that the Trainer is about to start
    return run


@contextmanager
def saving_at_signals(run: Run) -> Iterator[None]:
    """Have signals noted, for the training to save a resume point, and say how to resume."""
    INTERRUPTION.advice = f"resume with --resume {run.folder}"
    INTERRUPTION.deferred = True
    try:
        yield
    finally:
        INTERRUPTION.deferred = False


@contextmanager
def one_line_for_what_breaks(run: Run) -> Iterator[None]:
    """Turn the errors of a full disk and of a dead process of a distributed training into Failures."""
    try:
        yield
    except OSError as error:  # so TensorBoard's writer reports a full disk
        if error.errno not in OF_THE_DISK or output_fails():
            raise
        raise Failure(f"can't write {run.folder} ({error.strerror}): {ADVICE}") from error
    except RuntimeError as error:  # so gloo reports that a process has gone
        if not re.search("Connection (closed|reset) by peer", str(error)):
            raise
        raise Failure(f"another process of this run has died: {INTERRUPTION.advice}") from error
