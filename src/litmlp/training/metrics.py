"""An epoch's loss and metrics, in a few updates an epoch instead of several tensor operations a step."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, R2Score, SumMetric
from torchmetrics.classification import MulticlassAccuracy

from litmlp.model.network import Network

if TYPE_CHECKING:
    from litmlp.training.mlp import MLP
from litmlp.tasks.loader import copied

UPDATE_EVERY = 8192  # samples


class EpochMetrics(nn.Module):
    """The mean loss and the metrics over an epoch, exact whatever the batch sizes.

    A step only keeps references to its loss, logits and targets; once they amount to ``UPDATE_EVERY`` samples,
    torchmetrics sees them all at once. What is kept or summed at any moment can be saved and restored, so that
    an epoch that was interrupted reports the very metrics of one that wasn't.

    Attributes:
        names: of the metrics.
        score_name: the metric beside the loss that is best when it is highest.
        metrics: torchmetrics' own, whose sums are the state.
    """

    names: tuple[str, ...]
    score_name: str
    metrics: tuple[Metric, ...]

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[tuple[Tensor, Tensor, Tensor]] = []  # (loss (), logits (batch, outputs), targets)
        self.pending_samples = 0

    def collect(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Take one batch into account: its mean loss (), logits (batch, outputs) and targets."""
        self.pending.append((loss.detach(), logits.detach(), targets))
        self.pending_samples += len(targets)
        if self.pending_samples >= UPDATE_EVERY:
            self._update()

    def _update(self) -> None:
        losses, logits, targets = zip(*self.pending, strict=True)
        self.update(losses, torch.cat(logits), torch.cat(targets), [len(batch) for batch in targets])
        self.pending, self.pending_samples = [], 0

    def compute_and_reset(self) -> dict[str, Tensor]:
        """The metrics of the epoch so far by name, over all processes. The next epoch starts from nothing."""
        if self.pending:
            self._update()
        values = self.compute()
        self.reset()
        return values

    def update(self, losses: tuple[Tensor, ...], logits: Tensor, targets: Tensor, batch_sizes: list[int]) -> None:
        """Add batches to the sums: their losses (), logits (samples, outputs), targets, and sizes."""
        raise NotImplementedError

    def compute(self) -> dict[str, Tensor]:
        """The metrics of the sums."""
        raise NotImplementedError

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


class ClassificationMetrics(EpochMetrics):
    """The mean loss and the accuracy.

    Args:
        classes: how many there are.
    """

    names = ("loss", "accuracy")
    score_name = "accuracy"

    def __init__(self, classes: int) -> None:
        super().__init__()
        # Two sums, since torchmetrics' MeanMetric either hides a loss that is nan or forgets the weights.
        self.loss = SumMetric(nan_strategy="disable")
        self.samples = SumMetric(nan_strategy="disable")
        self.accuracy = MulticlassAccuracy(classes, average="micro", validate_args=False)
        self.metrics = (self.loss, self.samples, self.accuracy)

    def update(self, losses: tuple[Tensor, ...], logits: Tensor, targets: Tensor, batch_sizes: list[int]) -> None:
        """Add batches."""
        weights = copied(torch.tensor(batch_sizes, dtype=torch.float32), logits.device)
        self.loss.update(torch.stack(losses).float() @ weights)
        self.samples.update(weights)
        self.accuracy.update(logits.float(), targets)

    def compute(self) -> dict[str, Tensor]:
        """``loss`` and ``accuracy``."""
        return {"loss": self.loss.compute() / self.samples.compute(), "accuracy": self.accuracy.compute()}


class RegressionMetrics(EpochMetrics):
    """The mean squared error, its root, the mean absolute error and R², in the units of the targets.

    The sums are of standardised values, which stay near 1 whatever the units, and so lose nothing in float32.

    Args:
        network: standardises targets, and knows their std.
    """

    names = ("loss", "rmse", "mae", "r2")
    score_name = "r2"

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = (network,)  # in a tuple, lest it become a part of this module
        outputs = network.spec.outputs
        self.squared, self.absolute = MeanSquaredError(num_outputs=outputs), MeanAbsoluteError(num_outputs=outputs)
        self.r2 = R2Score()
        self.metrics = (self.squared, self.absolute, self.r2)

    def update(self, losses: tuple[Tensor, ...], logits: Tensor, targets: Tensor, batch_sizes: list[int]) -> None:
        """Add batches."""
        values, expected = logits.float(), self.network[0].standardised_targets(targets).float()
        for metric in self.metrics:
            metric.update(values, expected)

    def compute(self) -> dict[str, Tensor]:
        """``loss`` (the mean squared error), ``rmse``, ``mae`` and ``r2``, each the mean over the outputs."""
        std = self.network[0].target_std.float()  # (outputs,)
        loss = (self.squared.compute() * std.square()).mean()
        try:
            r2 = self.r2.compute()
        except ValueError:  # a single sample has none
            r2 = torch.full_like(loss, torch.nan)
        return {"loss": loss, "rmse": loss.sqrt(), "mae": (self.absolute.compute() * std).mean(), "r2": r2}


def metrics_for(network: Network) -> EpochMetrics:
    """The metrics of what a network is for."""
    return RegressionMetrics(network) if network.spec.classes is None else ClassificationMetrics(network.spec.outputs)


def report(model: "MLP", stage: str, metrics: EpochMetrics) -> None:
    """Report what the metrics have collected, which then begin again.

    Args:
        model: in a Trainer.
        stage: train, val or test; the test's metrics are logged when the run is complete.
        metrics: of the stage.
    """
    values = {f"{stage}/{name}": value for name, value in metrics.compute_and_reset().items()}
    model.log_dict(values, prog_bar=True, logger=False, sync_dist=model.trainer.world_size > 1)
    if stage == "test" or model.trainer.sanity_checking:
        return
    numbers = {name: float(value) for name, value in values.items()}
    # Named, since Lightning's is off by one after a resume; while gradients accumulate the step ahead, so that what is
    # logged after a resume point has a step that a resume purges.
    step = model.trainer.global_step - (0 if model.is_accumulating else 1)
    for logger in model.trainer.loggers:
        logger.log_metrics(numbers, step=step)
