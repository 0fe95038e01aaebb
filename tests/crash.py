"""A callback that breaks a run off where it is told to, as ``--callbacks+=tests.crash.Crash``."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class CrashError(RuntimeError):
    """What a run that is broken off raises."""


class Crash(Callback):
    """Breaks off before the batch that makes step ``step``, or in the validation behind it."""

    def __init__(self, step: int, in_validation: bool = False) -> None:
        self.step = step
        self.in_validation = in_validation

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Break off."""
        if trainer.global_step == self.step and not self.in_validation:
            raise CrashError

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Break off."""
        if trainer.global_step == self.step and self.in_validation:
            raise CrashError
