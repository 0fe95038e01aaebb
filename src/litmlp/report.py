"""What a run reached: the test of its best checkpoint, told to people, to programs and to TensorBoard."""

import hashlib
import inspect
from typing import Any

import torch
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from litmlp.checkpoints import read_checkpoint
from litmlp.mlp import MLP
from litmlp.resume import Checkpoints
from litmlp.runs import Run
from litmlp.tasks.task import Task


def test_best(trainer: Trainer, model: MLP, task: Task, checkpoints: Checkpoints) -> dict[str, Any]:
    """Test the best checkpoint, and say what the run reached."""
    results = {
        "task": model.settings.task,
        "epochs": checkpoints.epochs,
        "steps": trainer.global_step,
        "seconds": round(checkpoints.seconds, 3),
        "best_checkpoint": str(checkpoints.run.best),
        "weights_sha256": weights_sha256(read_checkpoint(checkpoints.run.last)["state_dict"]),
    }
    checkpoints.write_best(trainer)
    trainer.strategy.barrier("best.ckpt")
    model.load_state_dict(read_checkpoint(checkpoints.run.best)["state_dict"])
    trainer.test(model, datamodule=task, verbose=False)
    figures = {name.removeprefix("test/"): float(figure) for name, figure in trainer.callback_metrics.items()}
    return {**results, "test": figures}


def weights_sha256(state_dict: dict[str, Tensor]) -> str:
    """A digest of all parameters and buffers: two runs ended with the same weights, bit for bit, if it is equal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state_dict.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def log_hyperparameters(trainer: Trainer, settings: str, results: dict[str, Any]) -> None:
    """Log the test results, and the settings (YAML) beside them in TensorBoard's HParams tab, so that runs compare.

    Their step is behind all others: a run that goes on from the end of training purges and logs them anew.
    """
    compared = {"batch_size", "seed", "max_epochs", "precision", *inspect.signature(MLP).parameters} - {"classes"}
    parameters = {
        name: value if isinstance(value, float | str) or type(value) is int else str(value)
        for name, value in yaml.safe_load(settings).items()
        if name in compared
    }
    metrics = {f"test/{name}": figure for name, figure in results["test"].items()}
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(parameters, metrics, step=results["steps"])
        else:
            logger.log_metrics(metrics, step=results["steps"])
        logger.save()


def show(results: dict[str, Any], run: Run) -> None:
    """Print what the run reached, and where to look further."""
    for name, figure in results["test"].items():
        print(f"test/{name:<10} {figure:.4f}")
    print(f"{results['epochs']} epochs, {results['steps']} steps, {results['seconds']:.1f} s of training")
    print(f"last weights     sha256 {results['weights_sha256'][:16]}")
    print(f"best checkpoint  {run.best}")
    print(f"curves           tensorboard --logdir {run.folder.parent.parent}")
