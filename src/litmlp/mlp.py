"""The one model: a multilayer perceptron that takes its shape from the task and the rest from the flags."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from litmlp.augment import Augment, Strengths
from litmlp.checkpoints import read_checkpoint
from litmlp.errors import Failure, UsageError
from litmlp.loader import Batch
from litmlp.metrics import EpochMetrics
from litmlp.network import build_network
from litmlp.schedule import lr_factor


class MLP(LightningModule):
    """A multilayer perceptron, with optional convolution stages in front.

    It standardises its input itself, with the mean and deviation of the training samples that its buffers keep.
    So a checkpoint is all that it takes to use it:
    ``MLP.load_from_checkpoint(path)(samples)`` gives logits for raw samples.

    Args:
        task: name of the task that it is trained for.
        sample_shape: shape of one sample, as the task says: (features,) or (channels, height, width).
        outputs: classes, or numbers to predict, as the task says.
        loss: cross_entropy or mse, as the task says.
        classes: the names of the classes, as the task says; none for a regression.
        hidden: widths of the hidden layers, e.g. '[512,256]'; '[]' makes a linear model.
        activation: the function behind each hidden layer.
        dropout: share of the hidden activations that training drops, from 0 to below 1.
        batch_norm: normalise each hidden layer over the batch, in front of its activation.
        conv: output channels of convolution stages in front of the hidden layers, each a 3×3 convolution, ReLU
            and 2×2 max-pooling, e.g. '[6,16]'.
        optimizer: adam, adamw, or sgd with momentum 0.9.
        lr: learning rate; with a schedule its highest value.
        weight_decay: L2 penalty of adam and sgd, decoupled weight decay of adamw (Loshchilov and Hutter, 2019).
        label_smoothing: share of each target that training spreads evenly over all classes, from 0 to below 1.
        schedule: of the learning rate, step by step: constant; cosine (half a cosine down to 0); or one_cycle
            (up from 1/25 during the first 30 % of the steps, then down to nearly 0: Smith and Topin, 2018).
        augment: deform the training images anew in each epoch, e.g. '{rotation: 10, shift: 1.5}'. rotation and
            shear are in degrees, shift and elastic in pixels, scale is a share of the size, flip and erase are
            probabilities.

    Raises:
        UsageError: if a value is out of its range.
    """

    def __init__(
        self,
        task: str,
        sample_shape: Sequence[int],
        outputs: int,
        loss: Literal["cross_entropy", "mse"] = "cross_entropy",
        classes: Sequence[str] | None = None,
        hidden: Sequence[int] = (128,),
        activation: Literal["relu", "gelu", "silu", "tanh", "sigmoid"] = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        conv: Sequence[int] = (),
        optimizer: Literal["adam", "adamw", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        schedule: Literal["constant", "cosine", "one_cycle"] = "constant",
        augment: Strengths | None = None,
    ) -> None:
        super().__init__()
        check_ranges(hidden, conv, dropout, lr, weight_decay, label_smoothing)
        self.save_hyperparameters()
        self.settings: Any = self.hparams
        self.sample_shape = tuple(sample_shape)
        channels = self.sample_shape[0]
        shape = (channels, *[1] * (len(sample_shape) - 1))
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(shape))
        self.deviation: Tensor
        self.register_buffer("deviation", torch.ones(shape))
        self.augment = Augment(self.sample_shape, augment) if augment else None
        self.network = build_network(self.sample_shape, outputs, hidden, activation, dropout, batch_norm, conv)
        self.train_metrics = EpochMetrics(outputs, loss)
        self.val_metrics = EpochMetrics(outputs, loss)
        self.test_metrics = EpochMetrics(outputs, loss)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            # The Trainer notes here which hook it is in, 43 times a step. Without torch's search for parameters
            # and modules in the value that takes 0.1 instead of 1.5 µs.
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Keep the training samples' mean and deviation, each (features,) or (channels, 1, 1)."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def forward(self, samples: Tensor) -> Tensor:
        """Logits (batch, outputs) of raw samples (batch, *sample_shape); an image's only channel may be left out."""
        x = samples.reshape(samples.shape[0], *self.sample_shape)  # (batch, *sample_shape)
        if self.augment is not None:
            x = self.augment(x)
        logits: Tensor = self.network((x.to(self.mean.dtype) - self.mean) / self.deviation)  # (batch, outputs)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss () of a batch's logits (batch, outputs). Labels are smoothed in training only."""
        if self.settings.loss == "mse":
            return functional.mse_loss(logits, targets)
        smoothing = self.settings.label_smoothing if self.training else 0.0
        return functional.cross_entropy(logits, targets, label_smoothing=smoothing)

    def _step(self, batch: Batch, metrics: EpochMetrics) -> Tensor:
        logits: Tensor = self(batch.samples)  # (batch, outputs)
        loss = self.loss(logits, batch.targets)  # ()
        if batch.weight:
            metrics.collect(loss, logits, batch.targets)
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step's loss ()."""
        loss = self._step(batch, self.train_metrics)
        return loss if batch.weight == 1 else loss * batch.weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's figures."""
        self._step(batch, self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's figures, in full precision, as whoever uses the checkpoint will have them."""
        with torch.autocast(self.device.type, enabled=False):
            self._step(batch, self.test_metrics)

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's figures. The Trainer leaves this out where it resumes within an epoch."""
        self.train_metrics.reset()

    def on_train_epoch_end(self) -> None:
        """Report the epoch's figures."""
        self._report("train", self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        """Report the validation's figures."""
        self._report("val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Report the test's figures."""
        self._report("test", self.test_metrics)

    def _report(self, stage: str, metrics: EpochMetrics) -> None:
        figures = {f"{stage}/{name}": figure for name, figure in metrics.compute().items()}
        self.log_dict(figures, prog_bar=True, logger=False, sync_dist=self.trainer.world_size > 1)
        # The test's figures are logged beside the settings, when the run is complete.
        if self.logger is not None and stage != "test" and not self.trainer.sanity_checking:
            # The step is named, because Lightning's own count is off by one behind a resume.
            self.logger.log_metrics(
                {name: float(figure) for name, figure in figures.items()}, step=self.trainer.global_step - 1
            )

    def configure_optimizers(self) -> Any:
        """The optimizer, and the schedule over the steps that the Trainer is going to make."""
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps) and self.settings.schedule != "constant":
            raise UsageError(f"--schedule {self.settings.schedule} needs an end: give --max_epochs")
        optimizer, scheduler = self.optimizer_and_scheduler(steps)
        if self.settings.schedule == "constant":
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def optimizer_and_scheduler(self, steps: float) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """The optimizer over all parameters, and its learning rate's schedule over ``steps`` steps."""
        options = {"lr": self.settings.lr, "weight_decay": self.settings.weight_decay, "fused": True}
        optimizer: torch.optim.Optimizer
        if self.settings.optimizer == "sgd":
            optimizer = torch.optim.SGD(self.parameters(), momentum=0.9, **options)
        elif self.settings.optimizer == "adamw":
            optimizer = torch.optim.AdamW(self.parameters(), **options)
        else:
            optimizer = torch.optim.Adam(self.parameters(), **options)
        return optimizer, LambdaLR(optimizer, partial(lr_factor, self.settings.schedule, steps))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what each process has collected of the current epoch's training figures."""
        progress = [self.train_metrics.progress()]
        if self.trainer.world_size > 1:
            progress *= self.trainer.world_size
            torch.distributed.all_gather_object(progress, progress[0])
        checkpoint["train_metrics"] = progress

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the training figures that this process had collected.

        Another number of processes can go on at an epoch's end only, where nothing is collected.
        """
        progress = checkpoint["train_metrics"]
        if len(progress) == self.trainer.world_size:
            self.train_metrics.restore(progress[self.global_rank], self.device)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path) -> Self:  # type: ignore[override]
        """The trained model of a checkpoint, on the CPU, ready to answer.

        Lightning's method of this name could be made to run code that a checkpoint holds; this one can't.

        Raises:
            Failure: if the file can't be read, is damaged, or isn't a checkpoint of this model.
        """
        checkpoint = read_checkpoint(checkpoint_path)
        try:
            with torch.device("meta"):  # without memory: who knows how wide a model the file asks for
                outline = cls(**checkpoint["hyper_parameters"])
        except (TypeError, ValueError, KeyError, IndexError, RuntimeError, UsageError) as error:
            raise Failure(f"{checkpoint_path} is no checkpoint of this model: {error}") from error
        outline.check_weights(checkpoint["state_dict"], checkpoint_path)
        model = cls(**checkpoint["hyper_parameters"])
        model.load_state_dict(checkpoint["state_dict"])
        return model.eval()

    def check_weights(self, state_dict: dict[str, Any], path: str | Path) -> None:
        """Check that weights fit this model.

        Raises:
            Failure: if they don't, with the names of both and the first of the weights.
        """
        own = self.state_dict()
        for name in {**own, **state_dict}:
            shapes = [getattr(weights.get(name), "shape", None) for weights in (state_dict, own)]
            if shapes[0] != shapes[1]:
                found, expected = (None if shape is None else tuple(shape) for shape in shapes)
                raise Failure(f"{path} is no checkpoint of this model: {name} is {found} in it, not {expected}")


def check_ranges(
    hidden: Sequence[int], conv: Sequence[int], dropout: float, lr: float, weight_decay: float, label_smoothing: float
) -> None:
    """Raise a UsageError that names the flag, if a value is out of its range."""
    for flag, widths in (("hidden", hidden), ("conv", conv)):
        if any(width < 1 for width in widths):
            raise UsageError(f"--{flag} {list(widths)}: each width must be at least 1")
    for flag, share in (("dropout", dropout), ("label_smoothing", label_smoothing)):
        if not 0 <= share < 1:
            raise UsageError(f"--{flag} {share}: must be from 0 to below 1")
    if not 0 < lr < math.inf:
        raise UsageError(f"--lr {lr}: must be a number above 0")
    if not 0 <= weight_decay < math.inf:
        raise UsageError(f"--weight_decay {weight_decay}: must be a number of at least 0")
