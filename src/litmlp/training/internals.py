"""What a run needs of Lightning 2.6 and Lightning doesn't make public, in functions that tests hold."""

from io import BytesIO
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging


def restore_loader_state(trainer: Trainer) -> None:
    """Let the training loader continue where the resume point says.

    The Trainer does this where it makes the loader; but asking it for the number of steps, as the learning rate's
    schedule does, makes the loader before the resume point is read.
    """
    trainer.fit_loop._load_combined_loader_states()


def state_of(trainer: Trainer) -> dict[str, Any]:
    """What ``Trainer.save_checkpoint`` would write now, in the CPU's memory, so that nothing changes it any more."""
    written = BytesIO()
    torch.save(trainer._checkpoint_connector.dump_checkpoint(weights_only=False), written)
    written.seek(0)
    state: dict[str, Any] = torch.load(written, map_location="cpu", weights_only=True)
    return state


def validation_follows(trainer: Trainer) -> bool:
    """Whether a validation follows the batch that has just been trained on."""
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)


def set_logged_step(trainer: Trainer, step: int) -> None:
    """Have Lightning's own callbacks log their values at this step: their count can be off by one after a resume."""
    trainer.fit_loop.epoch_loop._batches_that_stepped = step


def looks_at_epoch_end(callback: Callback, trainer: Trainer) -> bool:
    """Whether a callback looks at its metric at the end of an epoch, rather than of a validation."""
    asked = None
    if isinstance(callback, EarlyStopping):
        asked = callback._check_on_train_epoch_end
    elif isinstance(callback, ModelCheckpoint):
        asked = callback._save_on_train_epoch_end
    validates_once = trainer.val_check_interval == 1.0 or not trainer.limit_val_batches
    return asked if asked is not None else validates_once and trainer.check_val_every_n_epoch == 1


def average_on_device(trainer: Trainer) -> None:
    """Have Lightning's averages of the weights made on the device that trains, unless another one was asked for.

    Lightning takes the model's device at a moment when the model is still on the CPU: each update would be a copy.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WeightAveraging) and callback._device is None:
            callback._device = trainer.strategy.root_device
