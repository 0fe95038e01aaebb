"""The usual Lightning program: torchvision's data set and transforms, a DataLoader, and metrics at each step.

It runs in our own environment. Its structure is that of Lightning's examples and of the most used template:
the Trainer's own logger and checkpoints are on, the progress bar is off, as there is no terminal.
"""

from itertools import pairwise
from typing import Any

import numpy
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms
from torchvision.datasets import MNIST

from benchmarks.candidates.data import MEAN, STD, parser_of_flags


class Classifier(LightningModule):
    """The network, its metrics, and one step for all stages."""

    def __init__(self, hidden: list[int], lr: float, cosine: bool) -> None:
        super().__init__()
        self.lr, self.cosine = lr, cosine
        self.network = nn.Sequential(nn.Flatten())
        for width_in, width_out in pairwise([784, *hidden]):
            self.network.extend([nn.Linear(width_in, width_out), nn.ReLU()])
        self.network.append(nn.Linear(hidden[-1], 10))
        self.train_loss, self.val_loss, self.test_loss = MeanMetric(), MeanMetric(), MeanMetric()
        self.train_accuracy, self.val_accuracy, self.test_accuracy = (
            MulticlassAccuracy(10, average="micro") for _ in range(3)
        )

    def _step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        images, digits = batch
        logits = self.network(images)  # (batch, 10)
        loss = functional.cross_entropy(logits, digits)  # ()
        mean_loss, accuracy = getattr(self, f"{stage}_loss"), getattr(self, f"{stage}_accuracy")
        mean_loss(loss)
        accuracy(logits.argmax(1), digits)
        self.log(f"{stage}/loss", mean_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log(f"{stage}/accuracy", accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """One step's loss ()."""
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log one batch's metrics."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log one batch's metrics."""
        self._step(batch, "test")

    def configure_optimizers(self) -> Any:
        """Adam, with half a cosine over the steps if asked for."""
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        if not self.cosine:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class EpochLines(Callback):
    """Prints one line after an epoch and its validation."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's metrics."""
        print(f"epoch {trainer.current_epoch + 1} {trainer.callback_metrics}", flush=True)


def main() -> None:
    """Run the command."""
    parser = parser_of_flags(__doc__)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--accelerator", default="auto")
    parser.add_argument("--num_workers", type=int, default=0)
    flags = parser.parse_args()
    seed_everything(flags.seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    original, test = (MNIST(flags.data_dir, train=train, transform=transform) for train in (True, False))
    train, val = (
        Subset(original, numpy.load(flags.arrays / f"{split}_numbers.npy").tolist()) for split in ("train", "val")
    )
    loader_of = {"num_workers": flags.num_workers, "persistent_workers": flags.num_workers > 0}
    trainer = Trainer(
        accelerator=flags.accelerator,
        devices=1,
        max_epochs=flags.epochs,
        enable_progress_bar=False,
        callbacks=[EpochLines()],
    )
    model = Classifier(flags.hidden, flags.lr, flags.cosine)
    trainer.fit(
        model,
        DataLoader(train, flags.batch_size, shuffle=True, **loader_of),
        DataLoader(val, flags.batch_size, **loader_of),
    )
    trainer.test(model, DataLoader(test, flags.batch_size, num_workers=flags.num_workers), verbose=False)
    print(f"test/accuracy {float(trainer.callback_metrics['test/accuracy']):.4f}")


if __name__ == "__main__":
    main()
