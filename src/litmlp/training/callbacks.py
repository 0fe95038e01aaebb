"""The small callbacks of every run: its random numbers, its lines on the terminal, its curves over the steps."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, TQDMProgressBar

from litmlp.randomness import seed_step


class SeedEachStep(Callback):
    """Seeds what dropout and augmentation draw from before each batch, so that a resumed run draws the same numbers.

    Args:
        seed: of the run, usually the task's.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Seed the batch's draws."""
        seed_step(self.seed, trainer.current_epoch, batch_idx, trainer.global_rank, pl_module.device)


class EpochLines(Checkpoint):
    """Prints one line an epoch.

    It counts as a checkpoint callback, because Lightning runs only those after the model's own end of an epoch.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self.start = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of an epoch that is resumed midway."""
        self.start = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's metrics."""
        metrics = trainer.callback_metrics  # computed by all processes together
        if trainer.is_global_zero:
            values = "  ".join(f"{name} {float(value):#.4g}" for name, value in metrics.items())
            of = f"/{trainer.max_epochs}" if trainer.max_epochs != -1 else ""
            seconds = time.monotonic() - self.start
            bar = trainer.progress_bar_callback
            say = print if bar is None else bar.print  # above the bar, so that the line stays
            say(f"epoch {trainer.current_epoch + 1}{of}  {values}  {seconds:.1f} s")
            sys.stdout.flush()


class Bar(TQDMProgressBar):
    """Lightning's progress bar, without the name of the run that it cuts short."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What the bar shows beside the progress."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


class StepCurves(Callback):
    """Logs the learning rate and the loss of a step, at every ``every``-th step."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.step = 0
        self.rate = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the learning rate of the step ahead."""
        self.step = trainer.global_step
        if self.step % self.every == 0:
            self.rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log both, if this batch made the step: others of it only accumulated gradients."""
        if trainer.logger is not None and self.step % self.every == 0 and trainer.global_step > self.step:
            values = {"learning_rate": self.rate, "train/step_loss": outputs["loss"]}
            trainer.logger.log_metrics(values, step=self.step)
