"""What a run reached: the test of its best checkpoint, for people, for programs and for TensorBoard."""

import inspect
import math
from typing import Any

import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from litmlp.model.checkpoint import read_checkpoint
from litmlp.model.loading import weights_sha256
from litmlp.runs import Run
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP
from litmlp.training.resume import ResumePoints


def test_best(trainer: Trainer, model: MLP, task: Task, points: ResumePoints) -> dict[str, Any]:
    """Test the best checkpoint, and say what the run reached."""
    results = {
        "task": model.spec.task,
        "epochs": points.epochs,
        "steps": trainer.global_step,
        "seconds": round(points.seconds, 3),
        "best_checkpoint": str(points.run.best),
        "weights_sha256": weights_sha256(read_checkpoint(points.run.last)["state_dict"]),
    }
    points.write_best(trainer)
    trainer.strategy.barrier("best.ckpt")
    model.load_state_dict(read_checkpoint(points.run.best)["state_dict"])
    trainer.test(model, datamodule=task, verbose=False)
    metrics = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
    return {**results, "test": metrics}


def log_hyperparameters(trainer: Trainer, settings: str, results: dict[str, Any]) -> None:
    """Log the test results, and the settings (YAML) beside them in TensorBoard's HParams tab, so that runs compare.

    Their step is after all others: a run that resumes from the end of training purges and logs them again.
    """
    first = ["hidden", "lr", "batch_size", "max_epochs", "seed", "precision"]  # in the order of the tab's columns
    compared = [*first, *(name for name in inspect.signature(MLP).parameters if name not in (*first, "spec"))]
    values = yaml.safe_load(settings)
    parameters = {
        name: values[name] if isinstance(values[name], float | str) or type(values[name]) is int else str(values[name])
        for name in compared
        if name in values
    }
    metrics = {f"test/{name}": value for name, value in results["test"].items()}
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(parameters, metrics, step=results["steps"])
        else:
            logger.log_metrics(metrics, step=results["steps"])
        logger.save()


def show(results: dict[str, Any], run: Run) -> None:
    """Print what the run reached, and where to look further."""
    for name, value in results["test"].items():
        print(f"test/{name:<10} {value:#.4g}")
    if not math.isfinite(results["test"]["loss"]):
        print("the training diverged: try a lower --lr, or --gradient_clip_val 1")
    print(f"{results['epochs']} epochs, {results['steps']} steps, {results['seconds']:.1f} s of training")
    print(f"last weights     sha256 {results['weights_sha256'][:16]}")
    print(f"best checkpoint  {run.best}")
    print(f"curves           tensorboard --logdir {run.folder.parent.parent}")
