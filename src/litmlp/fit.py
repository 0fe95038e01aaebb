"""``scripts/fit.py``: builds task, model and Trainer from the flags, trains, tests the best checkpoint, and tells."""

import logging
import os
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from litmlp import processes
from litmlp.checkpoints import SafeCheckpointIO
from litmlp.command import RUN_VARIABLE, Command, read_command
from litmlp.console import INTERRUPTION
from litmlp.errors import Failure, UsageError
from litmlp.mlp import MLP
from litmlp.progress import EpochLines, StepCurves
from litmlp.randomness import SeedEachStep
from litmlp.report import log_hyperparameters, show, test_best
from litmlp.resume import Checkpoints
from litmlp.runs import Run, read_resume_point
from litmlp.tasks import TASKS
from litmlp.tasks.task import Task

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
    if command.settings.fast_dev_run:
        trainer.fit(model, datamodule=task)
        trainer.test(model, datamodule=task)
        return
    start_from, resume_point = choose_resume_point(command, model, trainer)
    INTERRUPTION.deferred = True
    run = open_run(command, trainer, start_from)
    INTERRUPTION.advice = f"go on with --resume {run.folder}"
    checkpoints.run = run
    add_logger(trainer, command, run, model, resume_point)
    trainer.fit(model, datamodule=task, ckpt_path=start_from, weights_only=True)
    INTERRUPTION.deferred = False
    if INTERRUPTION.signum:
        INTERRUPTION.leave(INTERRUPTION.signum)
    results = test_best(trainer, model, task, checkpoints)
    if trainer.is_global_zero:
        log_hyperparameters(trainer, command.text, results)
        run.write_results(results)
        show(results, run)
        for line in task.describe(lambda samples: model(samples.to(model.device)).cpu()):
            print(line)


def silence_what_helps_nobody() -> None:
    """Leave out Lightning's adverts, and warnings that don't apply here or that only its authors can mend."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)  # inside Lightning
    warnings.filterwarnings("ignore", ".*torch.jit.trace.* is deprecated", FutureWarning)  # inside SummaryWriter
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


def make_trainer(command: Command, checkpoints: Checkpoints) -> Trainer:
    """The Trainer, with our callbacks beside the user's. It has no logger yet.

    Raises:
        UsageError: if the Trainer refuses a flag.
    """
    options = command.arguments(Trainer)
    if options["enable_progress_bar"] is None:
        options["enable_progress_bar"] = sys.stdout.isatty()
    progress = TQDMProgressBar(refresh_rate=10) if options["enable_progress_bar"] else EpochLines()
    callbacks, log_every = as_list(options["callbacks"]), options["log_every_n_steps"] or 50
    options["callbacks"] = [
        SeedEachStep(command.settings.seed),
        StepCurves(log_every),
        *callbacks,
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
    except (MisconfigurationException, ValueError, TypeError) as error:
        where = f"--accelerator {options['accelerator']}: " if "backend" in str(error) else ""
        raise UsageError(f"{where}{error}") from error


class NoProfiler(PassThroughProfiler):
    """Profiles nothing, at a seventh of the cost of Lightning's own: the Trainer enters it 42 times a step."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]
        """Profile nothing."""
        return nullcontext()


def as_list(value: Any) -> list[Any]:
    """A flag's value that may be a list, one item or nothing, as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def load_data(task: Task, model: MLP, trainer: Trainer) -> None:
    """Load the training split, and let the model standardise by it.

    Raises:
        Failure: if the data can't be had.
        UsageError: if a batch is too small for batch normalisation.
    """
    if isinstance(trainer.accelerator, CPUAccelerator):
        # Torch's optimizers look for an accelerator at every step; without this they ask the driver each time.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if trainer.local_rank == 0:
        task.prepare_data()
    model.standardise(*task.mean_and_deviation())
    samples, step_size = len(task.split("train")[0]), task.batch_size * trainer.world_size
    if model.settings.batch_norm and min(step_size, samples % step_size or step_size) < 2 * trainer.world_size:
        raise UsageError(
            f"--batch_size {task.batch_size}: {samples} samples make a batch of a single one, which --batch_norm can't"
            " normalise; choose another --batch_size"
        )


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

    run = Run(processes.join(choose) if processes.under_torchrun() else choose())
    if trainer.is_global_zero:
        run.open(command.text, resume_point)
    os.environ[RUN_VARIABLE] = str(run.folder)
    return run


def add_logger(trainer: Trainer, command: Command, run: Run, model: MLP, resume_point: dict[str, Any]) -> None:
    """Give the Trainer the run's TensorBoard logger, or what ``--logger`` says instead.

    Curves that go on behind the resume point replace what an interrupted process had logged there.
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
        purge_step=resume_point.get("global_step"),
    )
    trainer.loggers = [logger]
    if not resume_point and trainer.is_global_zero:
        logger.experiment.add_graph(model.network, torch.zeros(1, *model.sample_shape))
