"""What a run needs of Lightning 2.6 and Lightning doesn't make public, in two functions that tests hold."""

from lightning.pytorch import Trainer


def restore_loader_state(trainer: Trainer) -> None:
    """Let the training loader continue where the resume point says.

    The Trainer does this where it makes the loader; but asking it for the number of steps, as the learning rate's
    schedule does, makes the loader before the resume point is read.
    """
    trainer.fit_loop._load_combined_loader_states()


def validation_follows(trainer: Trainer) -> bool:
    """Whether a validation follows the batch that has just been trained on."""
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher)
