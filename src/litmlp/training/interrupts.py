"""Signals in a training, of one process or of several."""

import signal

from lightning.pytorch import Trainer

from litmlp.signals import Interruption


def take_signals(trainer: Trainer, interruption: Interruption) -> None:
    """Take the signals back from Lightning, whose handlers save nothing, and deadlock with several processes."""
    interruption.install()
    if trainer.world_size == 1:
        return
    interruption.deferred = False  # one process alone can't save: all of them would have to
    launcher = trainer.strategy.launcher
    if trainer.local_rank == 0 and launcher is not None:
        interruption.before_leaving = lambda signum: launcher.kill(signal.SIGTERM)  # the others ignore SIGINT
    else:  # Python would run a handler only after the collective operation that the process may be waiting in
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
