"""The weights with the lowest validation loss so far."""

import math
from typing import Any

import lightning
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from litmlp.model.checkpoint import IDENTITY, read_checkpoint, write_checkpoint
from litmlp.runs import Run


class BestWeights:
    """Keeps the best weights in memory, and writes them as ``best.ckpt``.

    Args:
        loss: their validation loss.
        point: their epoch, global_step and state_dict; empty if there are none yet.
    """

    def __init__(self, loss: float = math.inf, point: dict[str, Any] | None = None) -> None:
        self.loss = loss
        self.point = point or {}
        self.candidate: dict[str, Tensor] = {}
        self.is_written = False

    def hold(self, module: LightningModule) -> None:
        """Keep the weights that are about to be validated."""
        self.candidate = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    def consider(self, trainer: Trainer) -> None:
        """Keep the validated weights, if they are the best."""
        candidate, self.candidate = self.candidate, {}
        if trainer.sanity_checking:
            return
        loss = float(trainer.callback_metrics["val/loss"])
        if not self.point or loss < self.loss or math.isnan(self.loss):
            self.loss = loss
            self.point = {"epoch": trainer.current_epoch, "global_step": trainer.global_step, "state_dict": candidate}
            self.is_written = False

    def write(self, trainer: Trainer, run: Run, epochs: int) -> None:
        """Write ``best.ckpt``, if it isn't there yet. Without a validation the last weights count as the best.

        It holds the weights and what is needed to use them, no state of the training.
        """
        if self.is_written:
            return
        point = self.point or {
            "epoch": epochs - 1,
            "global_step": trainer.global_step,
            "state_dict": read_checkpoint(run.last)["state_dict"],
        }
        parameters = dict(trainer.lightning_module.hparams)
        about = {"pytorch-lightning_version": lightning.__version__, "hyper_parameters": parameters}
        write_checkpoint({**point, **IDENTITY, **about}, run.best)
        self.is_written = True
