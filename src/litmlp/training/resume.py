"""The callback that writes a run's checkpoints, at the moments from which a run can be resumed exactly."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from litmlp.lock import RunLock
from litmlp.runs import Run
from litmlp.signals import Interruption
from litmlp.training.announce import arithmetic
from litmlp.training.best import BestWeights
from litmlp.training.checkpoint_io import SafeCheckpointIO, is_between_epochs, newest_resume_point
from litmlp.training.internals import restore_loader_state, state_of, validation_follows
from litmlp.training.interrupts import take_signals
from litmlp.training.mlp import MLP


class ResumePoints(Checkpoint):
    """Writes ``last.ckpt`` (and keeps the one before as ``previous.ckpt``) and ``best.ckpt``.

    ``last.ckpt`` is a resume point, and holds everything that the rest of the run depends on, also the weights
    with the lowest validation loss so far: so one file, replaced atomically, is the whole state, and best.ckpt
    can always be made from it. It is written where resuming is exact:

    - after a batch, unless it is the epoch's last, a validation follows, or gradients are being accumulated; that of
      the last step within an epoch is held until the epoch's metrics are logged, since nothing would log them later;
    - at an epoch's end, after its validation and all other callbacks (Lightning calls checkpoint callbacks
      last, and this one has to be the last of those).

    At these moments a point is written if training ends or a signal came, and otherwise if the last one is older
    than a hundredth of the time trained so far (at most a minute), and than 100 times what it took to write it.
    So a crash costs little, and points cost about 1 % of the time, whatever the model and the disk.

    Args:
        folder: the run's; the points are in ``checkpoints`` inside. ``fit.py`` sets ``run`` later instead.
        interruption: where signals are noted; None leaves them to Lightning.
        fraction: of the training time that points may take.
        longest_pause: seconds after which a point is due in any case.

    Attributes:
        lock: of the run: whoever sets ``run`` holds it; with a ``folder`` the callback does so itself.
        epochs: how many epochs had begun at the newest point; at the end of training, all of them.
    """

    BATCHES_BETWEEN_AGREEMENTS = 50

    def __init__(
        self,
        folder: str | Path | None = None,
        interruption: Interruption | None = None,
        fraction: float = 0.01,
        longest_pause: float = 60.0,
    ) -> None:
        if folder is not None:
            self.run = Run(Path(folder))
        self.locks_itself = folder is not None
        self.takes_signals = interruption is not None
        self.interruption = interruption or Interruption()
        self.fraction = fraction
        self.longest_pause = longest_pause
        self.seconds_before = 0.0
        self.best = BestWeights()
        self.stopped_early = False
        self.epochs = 0
        self.saved_step = -1
        self.is_within_epoch = False  # the newest point
        self.held: dict[str, Any] | None = None  # the point of the last step, within an epoch

    @property
    def run(self) -> Run:
        """Where to write."""
        return self._run

    @run.setter
    def run(self, run: Run) -> None:
        self._run = run
        self.lock = RunLock(run.folder)

    def newest(self) -> Path | None:
        """The newest intact resume point of the run, for ``Trainer.fit(ckpt_path=…)``; None if there is none."""
        return newest_resume_point(self.run)[0]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the Trainer write and read checkpoints durably, and restore weights in the run's own precision.

        By itself it converts the model only after it has restored it: float64 would have been rounded to float32.
        """
        if stage == "fit":
            trainer.precision_plugin.convert_module(pl_module)
        if stage == "fit" and not isinstance(trainer.strategy.checkpoint_io, SafeCheckpointIO):
            trainer.strategy.checkpoint_io = SafeCheckpointIO()
        if stage == "fit" and self.locks_itself and trainer.is_global_zero:
            self.lock.acquire()
            self.run.best.parent.mkdir(parents=True, exist_ok=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the run back to others."""
        if self.locks_itself:
            self.lock.release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the run back to others."""
        self.teardown(trainer, pl_module, "fit")

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.device = trainer.strategy.root_device
        self.samples_per_step = getattr(trainer.datamodule, "batch_size", 0) * trainer.world_size  # type: ignore[attr-defined]
        self.started = self.saved = time.monotonic()
        self.cost = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the loader continue where it was, and take the signals back from Lightning."""
        restore_loader_state(trainer)
        if self.takes_signals:
            take_signals(trainer, self.interruption)

    @property
    def seconds(self) -> float:
        """Seconds of training, over all the processes that have trained this run."""
        return self.seconds_before + time.monotonic() - self.started

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {
            "seconds": self.seconds,
            "best_loss": self.best.loss,
            "best": self.best.point,
            "stopped_early": self.stopped_early,
            "epochs": self.epochs,
            "samples_per_step": self.samples_per_step,
            "arithmetic": arithmetic(self.device),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of the resume point."""
        self.seconds_before = state_dict["seconds"]
        self.best = BestWeights(state_dict["best_loss"], state_dict["best"])
        self.stopped_early = state_dict["stopped_early"]
        self.epochs = state_dict["epochs"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """A run that was stopped early stays stopped: the Trainer would make one more epoch."""
        trainer.should_stop = checkpoint["callbacks"][self.state_key]["stopped_early"]
        self.saved_step = checkpoint["global_step"]
        self.is_within_epoch = not is_between_epochs(checkpoint)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights that are validated: a callback may have put an average in their place."""
        self.best.hold(pl_module)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Leave at a signal. A point within a validation wouldn't be exact; the newest one serves."""
        self.lock.beat()
        self._leave_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the validated weights, if they are the best."""
        self.best.consider(trainer)

    def on_train_batch_end(  # type: ignore[override]  # it is the MLP's callback
        self, trainer: Trainer, pl_module: MLP, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a point within an epoch, if this is the place and the time."""
        self.lock.beat()
        if (
            trainer.is_last_batch
            or pl_module.is_accumulating
            or (validation_follows(trainer) and not trainer.should_stop)
        ):
            return
        if trainer.global_step == trainer.max_steps:
            self.epochs = trainer.current_epoch + 1
            self.held = state_of(trainer)
            return
        if trainer.should_stop or self.interruption.signum or self._is_time(trainer, batch_idx):
            self._save(trainer, is_within_epoch=True)
        self._leave_if_asked(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write a point at an epoch's end, if it is time or training ends.

        Of several processes some may be lost for good, and the others can't resume within an epoch.
        """
        ends = (
            trainer.should_stop
            or trainer.current_epoch + 1 == trainer.max_epochs
            or trainer.global_step == trainer.max_steps
        )
        self.stopped_early = trainer.should_stop
        # Resumed at an epoch's end, a run that ends by --max_steps would end that epoch twice (Lightning #19617).
        is_whole = trainer.is_last_batch and trainer.max_steps == -1
        is_needed = trainer.world_size > 1 and self.is_within_epoch
        if (is_whole and (self.interruption.signum or is_needed or self._is_time(trainer))) or (
            ends and self.saved_step != trainer.global_step
        ):
            self._save(trainer)
        if not ends:
            self._leave_if_asked(trainer)

    def _is_time(self, trainer: Trainer, batch_idx: int = 0) -> bool:
        if trainer.world_size > 1 and batch_idx % self.BATCHES_BETWEEN_AGREEMENTS:
            return False
        now = time.monotonic()
        pause = max(self.cost / self.fraction, min(self.fraction * (now - self.started), self.longest_pause))
        due = now - self.saved >= pause
        return trainer.strategy.broadcast(due) if trainer.world_size > 1 else due

    def _save(self, trainer: Trainer, is_within_epoch: bool = False) -> None:
        start = time.monotonic()
        self.epochs = trainer.current_epoch + 1
        for logger in trainer.loggers:
            logger.save()
        if self.held is None:
            trainer.save_checkpoint(self.run.last, weights_only=False)
        else:
            trainer.strategy.save_checkpoint(self.held, self.run.last)
            trainer.strategy.barrier("the last step's resume point")
            self.held = None
        self.saved_step, self.is_within_epoch = trainer.global_step, is_within_epoch
        if self.best.point:
            self.write_best(trainer)
        self.saved = time.monotonic()
        self.cost = self.saved - start

    def write_best(self, trainer: Trainer) -> None:
        """Write ``best.ckpt``, if it isn't there yet. Without a validation the last weights count as the best."""
        if trainer.is_global_zero:
            self.best.write(trainer, self.run, self.epochs)

    def _leave_if_asked(self, trainer: Trainer) -> None:
        if self.interruption.signum:
            for logger in trainer.loggers:
                logger.save()
            self.interruption.leave(self.interruption.signum)
