"""The callback that writes a run's checkpoints, at the moments from which a run can go on exactly."""

import math
import signal
import time
from typing import Any

import lightning
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from litmlp.checkpoints import read_checkpoint, write_checkpoint
from litmlp.console import Interruption
from litmlp.runs import Run


class Checkpoints(Checkpoint):
    """Writes ``last.ckpt`` (and keeps the one before as ``previous.ckpt``) and ``best.ckpt``.

    ``last.ckpt`` is a resume point, and holds everything that the rest of the run depends on, also the weights
    with the lowest validation loss so far: so one file, written as one act, is the whole state, and best.ckpt
    can always be made from it. It is written where resuming is exact:

    - behind a batch, unless it is the epoch's last, a validation follows, or gradients are being accumulated;
    - at an epoch's end, behind its validation and all other callbacks (Lightning calls checkpoint callbacks
      last, and this one has to be the last of those).

    At these moments a point is written if training ends or a signal came, and otherwise if the last one is older
    than a hundredth of the time trained so far (at most a minute), and than 100 times what it took to write it.
    So a crash costs little, and points cost about 1 % of the time, whatever the model and the disk.

    Args:
        interruption: where a signal is noted.

    Attributes:
        run: where to write; is set before training begins.
        epochs: how many epochs had been begun at the newest point; at the end of training, all of them.
    """

    SHARE = 0.01
    LONGEST_PAUSE = 60.0
    BATCHES_BETWEEN_AGREEMENTS = 50

    run: Run

    def __init__(self, interruption: Interruption) -> None:
        self.interruption = interruption
        self.seconds_before = 0.0
        self.best_loss = math.inf
        self.best: dict[str, Any] = {}  # epoch, global_step and state_dict of the lowest validation loss
        self.candidate: dict[str, Tensor] = {}
        self.stopped_early = False
        self.epochs = 0
        self.saved_step = -1
        self.best_is_written = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self.started = self.saved = time.monotonic()
        self.cost = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the loader go on where it was, and take the signals back from Lightning.

        Lightning's handlers save nothing, and deadlock with several processes.
        """
        # The Trainer does this where it makes the loader; but asking it for the number of steps, as the learning
        # rate's schedule does, makes the loader before the resume point is read.
        trainer.fit_loop._load_combined_loader_states()
        self.interruption.install()
        if trainer.world_size == 1:
            return
        self.interruption.deferred = False  # one process alone can't save: all of them would have to
        launcher = trainer.strategy.launcher
        if trainer.local_rank == 0 and launcher is not None:
            self.interruption.before_leaving = lambda signum: launcher.kill(signal.SIGTERM)  # the others ignore SIGINT
        else:  # Python would run a handler only behind the collective operation that the process may be waiting in
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    @property
    def seconds(self) -> float:
        """Seconds of training, over all the processes that this run has been going on in."""
        return self.seconds_before + time.monotonic() - self.started

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {
            "seconds": self.seconds,
            "best_loss": self.best_loss,
            "best": self.best,
            "stopped_early": self.stopped_early,
            "epochs": self.epochs,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of the resume point."""
        self.seconds_before = state_dict["seconds"]
        self.best_loss = state_dict["best_loss"]
        self.best = state_dict["best"]
        self.stopped_early = state_dict["stopped_early"]
        self.epochs = state_dict["epochs"]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """A run that was stopped early stays stopped: the Trainer would make one more epoch."""
        trainer.should_stop = checkpoint["callbacks"][self.state_key]["stopped_early"]
        self.saved_step = checkpoint["global_step"]

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold on to the weights that are validated: a callback may have put an average in their place."""
        self.candidate = {name: tensor.detach().clone() for name, tensor in pl_module.state_dict().items()}

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Leave at a signal. A point within a validation wouldn't be exact; the newest one serves."""
        self._leave_if_asked(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the validated weights, if they are the best."""
        candidate, self.candidate = self.candidate, {}
        if trainer.sanity_checking:
            return
        loss = float(trainer.callback_metrics["val/loss"])
        if not self.best or loss < self.best_loss or math.isnan(self.best_loss):
            self.best_loss = loss
            self.best = {"epoch": trainer.current_epoch, "global_step": trainer.global_step, "state_dict": candidate}
            self.best_is_written = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a point within an epoch, if this is the place and the time."""
        epoch_loop = trainer.fit_loop.epoch_loop
        if trainer.is_last_batch or epoch_loop._should_accumulate():
            return
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        if epoch_loop._should_check_val_fx(fetcher) and not trainer.should_stop:
            return
        ends = trainer.should_stop or trainer.global_step == trainer.max_steps
        if ends or self.interruption.signum or self._is_time(trainer, batch_idx):
            self._save(trainer)
        self._leave_if_asked(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write a point at an epoch's end, if it is time or training ends."""
        ends = (
            trainer.should_stop
            or trainer.current_epoch + 1 == trainer.max_epochs
            or trainer.global_step == trainer.max_steps
        )
        self.stopped_early = trainer.should_stop
        # Resumed at an epoch's end, a run that ends by --max_steps would end that epoch twice (Lightning #19617).
        is_whole = trainer.is_last_batch and trainer.max_steps == -1
        if (is_whole and (self.interruption.signum or self._is_time(trainer))) or (
            ends and self.saved_step != trainer.global_step
        ):
            self._save(trainer)
        if not ends:
            self._leave_if_asked(trainer)

    def _is_time(self, trainer: Trainer, batch_idx: int = 0) -> bool:
        if trainer.world_size > 1 and batch_idx % self.BATCHES_BETWEEN_AGREEMENTS:
            return False
        now = time.monotonic()
        pause = max(self.cost / self.SHARE, min(self.SHARE * (now - self.started), self.LONGEST_PAUSE))
        due = now - self.saved >= pause
        return trainer.strategy.broadcast(due) if trainer.world_size > 1 else due

    def _save(self, trainer: Trainer) -> None:
        start = time.monotonic()
        self.epochs = trainer.current_epoch + 1
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.run.last, weights_only=False)
        self.saved_step = trainer.global_step
        if self.best:
            self.write_best(trainer)
        self.saved = time.monotonic()
        self.cost = self.saved - start

    def write_best(self, trainer: Trainer) -> None:
        """Write ``best.ckpt``, if it isn't there yet. Without a validation the last weights count as the best.

        It holds the weights and what is needed to use them, no state of the training.
        """
        if self.best_is_written or not trainer.is_global_zero:
            return
        model = trainer.lightning_module
        best = self.best or {
            "epoch": self.epochs - 1,
            "global_step": trainer.global_step,
            "state_dict": read_checkpoint(self.run.last)["state_dict"],
        }
        extras = {"pytorch-lightning_version": lightning.__version__, "hyper_parameters": dict(model.hparams)}
        write_checkpoint({**best, **extras}, self.run.best)
        self.best_is_written = True

    def _leave_if_asked(self, trainer: Trainer) -> None:
        if self.interruption.signum:
            for logger in trainer.loggers:
                logger.save()
            self.interruption.leave(self.interruption.signum)
