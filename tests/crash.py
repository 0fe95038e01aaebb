"""A callback that breaks a run off where it is told to, as ``--callbacks+=tests.crash.Crash``."""

from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer


class CrashError(RuntimeError):
    """What a run that is broken off raises."""


class Crash(Callback):
    """Breaks off at step ``step``.

    Args:
        step: how many steps have been made.
        moment: ``batch``, before the next batch; ``validation``, within the validation that follows; ``validated``,
            when that has been logged, but no later resume point was written; or ``ending``, at an epoch's end, before
            its metrics are logged.
    """

    def __init__(self, step: int, moment: Literal["batch", "validation", "validated", "ending"] = "batch") -> None:
        self.step = step
        self.moment = moment

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Break off."""
        self.break_off("batch", trainer)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Break off."""
        self.break_off("validation", trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Break off."""
        self.break_off("validated", trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Break off."""
        self.break_off("ending", trainer)

    def break_off(self, moment: str, trainer: Trainer) -> None:
        """Break off, if this is the moment and the step."""
        if moment == self.moment and trainer.global_step == self.step:
            raise CrashError
