"""The one model: the network, and how it is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from litmlp.errors import Failure
from litmlp.model.checkpoint import IDENTITY, read_checkpoint
from litmlp.model.loading import check_weights, no_checkpoint, settings_in
from litmlp.model.network import Network
from litmlp.model.spec import Activation, Settings, Spec
from litmlp.ranges import check_ranges
from litmlp.tasks.loader import Batch
from litmlp.tasks.task import Task
from litmlp.training.augment import Augment, Magnitudes
from litmlp.training.metrics import EpochMetrics, metrics_for, report
from litmlp.training.optimizers import Optimizer, Schedule, allow_clipping, make_optimizer, make_scheduler
from litmlp.training.speed import set_attribute


class MLP(LightningModule):
    """A multilayer perceptron, with optional convolution blocks in front: the training shell around a ``Network``.

    ``fit`` standardises by the training samples of the Trainer's task. ``litmlp.load`` gives the network alone.

    Args:
        spec: what the task asks of the network, as its ``spec`` says.
        hidden: widths of the hidden layers, e.g. '[512,256]'; '[]' makes a linear model.
        activation: the function after each hidden layer.
        dropout: probability with which training drops a hidden activation, from 0 to below 1.
        batch_norm: normalise each hidden layer over the batch, before its activation.
        conv: output channels of convolution blocks in front of the hidden layers, each a 3×3 convolution, ReLU
            and 2×2 max-pooling, e.g. '[6,16]'.
        bins: encode each number by how far it has come through this many bins, between quantiles of its training
            values (Gorishniy et al., 2022, arXiv:2203.05556); 0 standardises it instead.
        embedding: numbers that a linear map and ReLU make of each number's bins; 0 keeps the bins themselves.
        members: copies of the input, scaled each by its own weights, through the same layers to outputs of their own;
            the answer is their mean (TabM-mini, Gorishniy et al., 2024, arXiv:2410.24210).
        optimizer: adam, adamw, or sgd with momentum 0.9.
        lr: learning rate; with a schedule its highest value.
        weight_decay: L2 penalty of adam and sgd, decoupled weight decay of adamw (Loshchilov and Hutter, 2019).
        label_smoothing: fraction of each target that training spreads evenly over all classes, from 0 to below 1.
        schedule: of the learning rate, step by step: constant; cosine (half a cosine down to 0); or one_cycle
            (up from 1/25 during the first 30 % of the steps, then down to nearly 0: Smith and Topin, 2018).
        augment: deform the training images differently in each epoch, e.g. '{rotation: 10, shift: 1.5}'. rotation and
            shear are in degrees, shift and elastic in pixels, scale is a fraction of the size, flip and erase are
            probabilities.

    Raises:
        UsageError: if a value is out of its range.
    """

    __setattr__ = set_attribute

    def __init__(
        self,
        spec: Spec,
        hidden: Sequence[int] = (128,),
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        conv: Sequence[int] = (),
        bins: int = 0,
        embedding: int = 12,
        members: int = 1,
        optimizer: Optimizer = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        schedule: Schedule = "constant",
        augment: Magnitudes | None = None,
    ) -> None:
        super().__init__()
        check_ranges(training := {"lr": lr, "weight_decay": weight_decay, "label_smoothing": label_smoothing})
        settings = Settings(spec, tuple(hidden), activation, dropout, batch_norm, tuple(conv), bins, embedding, members)
        others = {"optimizer": optimizer, "schedule": schedule, "augment": dict(augment) if augment else None}
        self.save_hyperparameters({**settings.as_plain(), **training, **others})
        self.optimizer, self.lr, self.weight_decay, self.schedule = optimizer, lr, weight_decay, schedule
        self.label_smoothing = label_smoothing
        self.step_before = -1
        self.is_standardised = False
        self.augment = Augment(spec.sample_shape, augment) if augment else None
        self.network = Network(settings)
        self.train_metrics, self.val_metrics, self.test_metrics = (metrics_for(self.network) for _ in range(3))

    @property
    def settings(self) -> Settings:
        """What the network is built from."""
        return self.network.settings

    @property
    def spec(self) -> Spec:
        """What the task asks of the network."""
        return self.network.spec

    def setup(self, stage: str) -> None:
        """Have the network standardise by the task's training samples. A resumed fit takes both from its checkpoint."""
        task = self.trainer.datamodule  # type: ignore[attr-defined]  # Lightning's Trainer sets it
        if stage == "fit" and isinstance(task, Task):
            self.standardise_by(task)

    def standardise_by(self, task: Task) -> None:
        """Have the network standardise by a task's training samples."""
        self.network.standardise(task.statistics_for(self.settings))
        self.is_standardised = True

    def check_data(self, state_dict: dict[str, Tensor]) -> None:
        """Check that a state to continue from was standardised by the same training samples, where these are known.

        Raises:
            Failure: if the run was begun with other data.
        """
        if self.is_standardised:
            state = {name.removeprefix("network."): value for name, value in state_dict.items()}
            if not self.network.is_standardised_as(state):
                raise Failure("the run was begun with other data than these: restore them, or start another run")

    def forward(self, samples: Tensor) -> Tensor:
        """Logits, or a regression's values in the units of its targets (batch, outputs), of raw samples."""
        logits: Tensor = self.network(samples)
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What training minimises (): the mean loss of logits (batch, outputs). Only there labels are smoothed.

        Of the members' logits (batch, members, outputs) it is the mean of all members' losses.
        """
        if logits.dim() == 3:
            members = logits.shape[1]
            logits, targets = logits.flatten(0, 1), targets.repeat_interleave(members, 0)
        if self.spec.loss == "mse":
            return functional.mse_loss(logits, self.network.standardised_targets(targets))
        smoothing = self.label_smoothing if self.training else 0.0
        return functional.cross_entropy(logits, targets, label_smoothing=smoothing)

    def _step(self, samples: Tensor, batch: Batch, metrics: EpochMetrics) -> Tensor:
        of_members = self.network.member_logits(samples)  # (batch, outputs) or (batch, members, outputs)
        logits = self.network.mean_of_members(of_members.detach() if self.training else of_members)  # (batch, outputs)
        loss = self.loss(of_members if self.training else logits, batch.targets)  # ()
        if batch.weight and len(batch.targets):  # a process without a share of the step has one sample or none
            metrics.collect(loss, logits, batch.targets)
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step's loss ()."""
        samples = batch.samples if self.augment is None else self.augment(batch.samples)
        loss = self._step(samples, batch, self.train_metrics)
        return loss if batch.weight == 1 else loss * batch.weight

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's metrics."""
        self._step(batch.samples, batch, self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect one batch's metrics, in full precision, as whoever uses the checkpoint will have them."""
        with torch.autocast(self.device.type, enabled=False):
            self._step(batch.samples, batch, self.test_metrics)

    def predict_step(self, batch: Batch | Tensor | Sequence[Tensor], batch_idx: int) -> Tensor:
        """Probabilities or values (batch, outputs), of a task's batch or of raw samples, in full precision."""
        samples = batch if isinstance(batch, Tensor) else batch[0]
        with torch.autocast(self.device.type, enabled=False):
            return self.network.probabilities(samples)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Note the step, to know after the batch whether it was made."""
        self.step_before = self.trainer.global_step

    @property
    def is_accumulating(self) -> bool:
        """Whether the last training batch only added to the gradients."""
        return self.trainer.global_step == self.step_before

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's metrics: not where the Trainer resumes within an epoch."""
        self.train_metrics.reset()

    def on_train_epoch_end(self) -> None:
        """Report the epoch's metrics."""
        report(self, "train", self.train_metrics)

    def on_validation_epoch_end(self) -> None:
        """Report the validation's metrics."""
        report(self, "val", self.val_metrics)

    def on_test_epoch_end(self) -> None:
        """Report the test's metrics."""
        report(self, "test", self.test_metrics)

    def configure_optimizers(self) -> Any:
        """The optimizer, and the schedule over the steps that the Trainer is going to make."""
        optimizer, scheduler = self.optimizer_and_scheduler(self.trainer.estimated_stepping_batches)
        if self.trainer.gradient_clip_val:
            allow_clipping(optimizer)
        if self.schedule == "constant":
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def optimizer_and_scheduler(self, steps: float) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """The optimizer over all parameters, and its learning rate's schedule over ``steps`` steps."""
        optimizer = make_optimizer(self.optimizer, self.parameters(), self.lr, self.weight_decay)
        return optimizer, make_scheduler(optimizer, self.schedule, steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say whose checkpoint it is, and save what each process has collected of the epoch's training metrics."""
        progress = [self.train_metrics.progress()]
        if self.trainer.world_size > 1:
            progress *= self.trainer.world_size
            torch.distributed.all_gather_object(progress, progress[0])
        checkpoint.update(IDENTITY, train_metrics=progress)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue with the metrics that this process had collected; at an epoch's end there are none to share out.

        Raises:
            Failure: if the run was begun with other data.
        """
        self.check_data(checkpoint["state_dict"])
        progress = checkpoint["train_metrics"]
        if len(progress) == self.trainer.world_size:
            device = self.trainer.strategy.root_device  # to which the Trainer moves the model only after this
            self.train_metrics.restore(progress[self.global_rank], device)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path) -> Self:  # type: ignore[override]
        """The trained model of a checkpoint, on the CPU. Lightning's method of this name could be made to run code.

        Raises:
            Failure: if the file can't be read, is damaged, or isn't a checkpoint of LitMLP.
        """
        checkpoint = read_checkpoint(checkpoint_path)
        settings = settings_in(checkpoint, checkpoint_path)
        arguments = {**checkpoint["hyper_parameters"], "spec": settings.spec}
        try:
            with torch.device("meta"):  # without memory: who knows how wide a model the file asks for
                outline = cls(**arguments)
        except (TypeError, ValueError, KeyError, RuntimeError, OverflowError) as error:
            raise no_checkpoint(checkpoint_path, error) from error
        check_weights(outline, checkpoint["state_dict"], checkpoint_path)
        model = cls(**arguments)
        model.load_state_dict(checkpoint["state_dict"])
        return model.eval()
