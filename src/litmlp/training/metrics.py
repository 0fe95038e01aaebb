"""An epoch's loss and score, in a few updates an epoch instead of several tensor operations a step."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric, R2Score, SumMetric
from torchmetrics.classification import MulticlassAccuracy


class EpochMetrics(nn.Module):
    """The mean loss and the accuracy (or R²) over an epoch, exact whatever the batch sizes.

    A step only keeps references to its loss, logits and targets; once they amount to ``UPDATE_EVERY`` samples,
    torchmetrics sees them all at once. What is kept or summed at any moment can be saved and restored, so that
    an epoch that was interrupted reports the very metrics of one that wasn't.

    Args:
        outputs: classes, or numbers predicted by a regression.
        loss: ``cross_entropy`` (the score is ``accuracy``) or ``mse`` (the score is ``r2``).
    """

    UPDATE_EVERY = 8192

    def __init__(self, outputs: int, loss: str) -> None:
        super().__init__()
        # Two sums, since torchmetrics' MeanMetric either hides a loss that is nan or forgets the weights.
        self.loss = SumMetric(nan_strategy="disable")
        self.samples = SumMetric(nan_strategy="disable")
        self.score: Metric
        if loss == "cross_entropy":
            self.score_name = "accuracy"
            self.score = MulticlassAccuracy(outputs, average="micro", validate_args=False)
        else:
            self.score_name = "r2"
            self.score = R2Score()
        self.metrics = (self.loss, self.samples, self.score)
        self.pending: list[tuple[Tensor, Tensor, Tensor]] = []  # (loss (), logits (batch, outputs), targets)
        self.pending_samples = 0

    def collect(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Take one batch into account: its mean loss (), logits (batch, outputs) and targets."""
        self.pending.append((loss.detach(), logits.detach(), targets))
        self.pending_samples += len(targets)
        if self.pending_samples >= self.UPDATE_EVERY:
            self._update()

    def _update(self) -> None:
        losses, logits, targets = zip(*self.pending, strict=True)
        batch_sizes = torch.tensor([float(len(batch)) for batch in targets], device=losses[0].device)
        self.loss.update(torch.stack(losses).float() @ batch_sizes)
        self.samples.update(batch_sizes)
        self.score.update(torch.cat(logits).float(), torch.cat(targets))
        self.pending, self.pending_samples = [], 0

    def compute_and_reset(self) -> dict[str, Tensor]:
        """The metrics of the epoch so far by name, over all processes. The next epoch starts from nothing."""
        if self.pending:
            self._update()
        values = {"loss": self.loss.compute() / self.samples.compute(), self.score_name: self.score.compute()}
        self.reset()
        return values

    def reset(self) -> None:
        """Forget everything, as at the start of an epoch."""
        for metric in self.metrics:
            metric.reset()
        self.pending, self.pending_samples = [], 0

    def progress(self) -> dict[str, Any]:
        """What this process has collected of the current epoch, as plain values and tensors for a checkpoint."""
        return {
            "pending": [[tensor.cpu() for tensor in batch] for batch in self.pending],
            "sums": [
                {name: state.cpu() for name, state in metric.metric_state.items() if isinstance(state, Tensor)}
                for metric in self.metrics
            ],
        }

    def restore(self, progress: dict[str, Any], device: torch.device) -> None:
        """Continue from what :meth:`progress` gave, on ``device``."""
        self.pending = [
            (loss.to(device), logits.to(device), targets.to(device)) for loss, logits, targets in progress["pending"]
        ]
        self.pending_samples = sum(len(targets) for _, _, targets in self.pending)
        for metric, sums in zip(self.metrics, progress["sums"], strict=True):
            for name, state in sums.items():
                setattr(metric, name, state.to(device))
