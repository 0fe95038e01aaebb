"""A callback that has torch refuse, for fifty steps, whatever makes the CPU wait for the GPU."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

FIRST, LAST = 20, 70


class NoWaiting(Callback):
    """Refuses synchronisation from step 20 to step 70; ``--callbacks+=tests.gpu.callbacks.NoWaiting``."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Begin, or end."""
        if trainer.global_step == FIRST:
            torch.cuda.set_sync_debug_mode("error")
        elif trainer.global_step == LAST:
            torch.cuda.set_sync_debug_mode("default")
            print(f"{LAST - FIRST} steps without waiting", flush=True)
