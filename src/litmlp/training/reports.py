"""What a fit says after each epoch to the process that started it, which may stop it."""

import json
import os
import signal
import socket
from contextlib import suppress
from functools import cached_property

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from litmlp.signals import INTERRUPTION

VARIABLE = "LITMLP_REPORTS"  # the descriptor of the socket that a fit reports to
CONTINUE, STOP = b"+", b"-"


class Reports(Checkpoint):
    """Sends the metrics of each epoch that has a validation, as a line of JSON, and waits for the answer.

    If that is to stop, the run is left as by SIGTERM: with a resume point, where the epoch's end is an exact one.
    Without an answer it is left at once, before that end is saved: a resumed run then reports the epoch again. So it is
    still the run that its settings describe. It counts as a checkpoint callback, because Lightning runs only those
    after the model's own end of an epoch.

    Args:
        descriptor: of a connected socket.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_validated = False

    @cached_property
    def connection(self) -> socket.socket:
        """The socket; only the first of several processes has it."""
        return socket.socket(fileno=self.descriptor)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that there is something to report."""
        self.is_validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and leave if that is the answer."""
        if not (self.is_validated and trainer.is_global_zero):
            return
        self.is_validated = False
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        answer = b""
        with suppress(OSError):  # whoever started this run has been killed
            self.connection.sendall(json.dumps({"epoch": trainer.current_epoch + 1, **metrics}).encode() + b"\n")
            answer = self.connection.recv(1)
        if answer == STOP:
            INTERRUPTION(signal.SIGTERM, None)
        elif answer != CONTINUE:
            INTERRUPTION.leave(signal.SIGTERM)


def reports() -> list[Reports]:
    """The callback, if the process that started this one wants reports."""
    return [Reports(int(os.environ[VARIABLE]))] if VARIABLE in os.environ else []
