"""``litmlp fit``: builds task, Trainer and model from the flags, trains, tests the best checkpoint, and reports."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer

from litmlp.commands.resuming import choose_resume_point, share_steps
from litmlp.errors import Failure
from litmlp.files import output_fails, writing
from litmlp.lock import InUseError, RunLock
from litmlp.runs import Run
from litmlp.settings.build import make_model, make_task
from litmlp.settings.command_line import RUN_VARIABLE, Command, read_command
from litmlp.settings.threads import use_threads
from litmlp.signals import INTERRUPTION
from litmlp.tasks.task import Task
from litmlp.training import torchrun
from litmlp.training.announce import announce, announce_early_stop, announce_resume
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
    use_threads(command.settings.threads)
    results = command.run.read_results() if command.run is not None else None
    if command.run is not None and results is not None and not continues(command, results):
        RunLock(command.run.folder).clear_if_dead()  # of a process that was killed after its last word
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
    results = train_and_test(command, trainer, task, model, points)
    if trainer.is_global_zero:
        show(results, points.run)
        for line in task.summary(lambda samples: model(samples.to(model.device)).cpu()):
            print(line)


def train_and_test(command: Command, trainer: Trainer, task: Task, model: MLP, points: ResumePoints) -> dict[str, Any]:
    """Train the run from where it is, and test its best checkpoint: what the run reached.

    Raises:
        UsageError: if the run can't be resumed with these flags.
        Failure: if another process trains it, or the disk or another process fails.
    """
    points_before = command.run.resume_points() if command.run else None
    start_from, resume_point = choose_resume_point(command, model, trainer, task)
    share_steps(task, trainer, resume_point)
    run = points.run = choose_run(command, trainer)
    with locked(run, points, trainer), saving_at_signals(run), one_line_for_what_breaks(run):
        if points_before is not None and run.resume_points() != points_before:
            raise Failure(f"{run.folder} was just trained further by another process: start the same command again")
        open_run(command, run, trainer, start_from, resume_point)
        add_loggers(trainer, command.settings.logger, run, model, resume_point)
        if trainer.is_global_zero:
            announce(trainer, task, model, command.settings.threads)
            if resume_point:
                announce_resume(resume_point, trainer.strategy.root_device)
        trainer.fit(model, datamodule=task, ckpt_path=start_from, weights_only=True)
        INTERRUPTION.deferred = False
        if INTERRUPTION.signum:
            INTERRUPTION.leave(INTERRUPTION.signum)
        if trainer.is_global_zero and points.stopped_early:
            announce_early_stop(trainer, points.epochs)
        results = test_best(trainer, model, task, points)
        if trainer.is_global_zero:
            log_hyperparameters(trainer, command.text, results)
            run.write_results(results)
    return results


def continues(command: Command, results: dict[str, Any]) -> bool:
    """Whether a complete run is given limits with which there is more to do."""
    settings, stored = yaml.safe_load(command.text), command.stored or {}
    changed = any(settings.get(limit) != stored.get(limit) for limit in LIMITS)
    return changed and not 0 < command.settings.max_epochs <= results["epochs"]


def choose_run(command: Command, trainer: Trainer) -> Run:
    """The run that the flags name, or a new one.

    Raises:
        Failure: if there can't be one.
    """

    def choose() -> Path:
        task_logs = command.logs / command.task.task_name()
        with writing(task_logs, ADVICE):
            return command.run.folder if command.run else Run.new(command.logs, command.task.task_name()).folder

    device_type = trainer.strategy.root_device.type
    return Run(torchrun.join(device_type, choose) if torchrun.under_torchrun() else choose())


def open_run(
    command: Command, run: Run, trainer: Trainer, start_from: Path | None, resume_point: dict[str, Any]
) -> None:
    """Keep the settings in the run's folder, which is made, if this is its start.

    Raises:
        Failure: if it can't be written to.
    """
    if trainer.is_global_zero:
        with writing(run.config, ADVICE):
            run.open(history(command, run, resume_point) + command.text, start_from)
    if trainer.strategy.launcher is not None:
        os.environ[RUN_VARIABLE] = str(run.folder)  # for the processes that the Trainer is about to start


@contextmanager
def locked(run: Run, points: ResumePoints, trainer: Trainer) -> Iterator[None]:
    """Hold the run's lock, so that no other process trains it meanwhile.

    Raises:
        Failure: if another process holds it, or the folder can't be written to.
    """
    if trainer.is_global_zero:
        try:
            points.lock.acquire()
        except InUseError as error:
            raise Failure(f"{error}: wait for it, stop it, or choose another --run") from None
        except Failure as error:
            raise Failure(f"{error}: {ADVICE}") from None
        INTERRUPTION.cleanup = points.lock.release
    try:
        yield
    finally:
        points.lock.release()
        INTERRUPTION.cleanup = None


def history(command: Command, run: Run, resume_point: dict[str, Any]) -> str:
    """What to say above the settings of a run that was extended: comments for its config.yaml, a line each.

    With a schedule of the learning rate the steps before had another one, which the settings alone don't repeat.
    """
    before = run.comments()
    stored, settings = command.stored or {}, yaml.safe_load(command.text)
    changed = [name for name in LIMITS if resume_point and stored.get(name) != settings.get(name)]
    if changed and command.settings.schedule != "constant":
        limits = " ".join(f"--{name} {stored.get(name)}" for name in changed)
        line = f"until step {resume_point['global_step']} the schedule was that of {limits}"
        print(f"note: {line}, so the settings alone won't repeat this run's weights", file=sys.stderr)
        before += f"# {line[0].upper()}{line[1:]}: these settings alone don't repeat the weights.\n"
    return before


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
    except RuntimeError as error:
        if not (loss := torchrun.loss_in_words(error)):
            raise
        raise Failure(f"{loss}: {INTERRUPTION.advice}") from error
