"""``litmlp by_hand``: the five steps of training in a plain loop."""

import time
from collections.abc import Callable

import torch
from lightning.pytorch import Trainer
from torch.nn import functional

from litmlp.errors import UsageError
from litmlp.model.loading import weights_sha256
from litmlp.randomness import seed_step
from litmlp.settings.build import make_model, make_task
from litmlp.settings.command_line import Command, read_command
from litmlp.settings.parser import make_parser
from litmlp.settings.threads import use_threads
from litmlp.tasks.loader import BatchLoader
from litmlp.training.mlp import MLP
from litmlp.training.quiet import silence_libraries
from litmlp.training.resume import ResumePoints
from litmlp.training.trainer import make_trainer, prepare_device

AUTOCAST = {"bf16-mixed": True, None: False, "32-true": False, "32": False, 32: False}


def main(argv: list[str], change: Callable[[MLP], object] | None = None) -> None:
    """Run the command.

    Args:
        argv: the flags.
        change: what to do with the model before training, to try out something.

    Raises:
        UsageError: if a flag asks for what this loop doesn't do.
    """
    silence_libraries()
    command = read_command(argv)
    check_flags(command)
    use_threads(command.settings.threads)
    device = device_of(command)
    task = make_task(command)
    task.prepare_data()
    model = make_model(command, task, device)
    model.network.standardise(task.statistics(model.settings))
    model.to(device)
    if change is not None:
        change(model)
    training, validation = (loader.to(device) for loader in (task.train_dataloader(), task.val_dataloader()))
    start = time.monotonic()
    train(model, training, validation, task.seed, command.settings.max_epochs, AUTOCAST[command.settings.precision])
    print(f"{command.settings.max_epochs} epochs, {time.monotonic() - start:.1f} s of training")
    print(f"last weights     sha256 {weights_sha256(model.state_dict())[:16]}")


def train(model: MLP, training: BatchLoader, validation: BatchLoader, seed: int, epochs: int, autocast: bool) -> None:
    """Train the model, and print its metrics on the validation samples after each epoch."""
    optimizer, scheduler = model.optimizer_and_scheduler(len(training) * epochs)
    device = training.device
    for epoch in range(epochs):
        start = time.monotonic()
        model.train()
        training.set_epoch(epoch)
        for batch_idx, (samples, targets, _) in enumerate(training):
            seed_step(seed, epoch, batch_idx, rank=0, device=device)  # for dropout and augmentation
            # 1. The graph: it grows again in each step, so the gradients of the last one are dropped.
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                x = samples if model.augment is None else model.augment(samples)  # (batch, *sample_shape)
                # 2. Forward: what does the network say? Each operation adds its node to the graph.
                logits = model.network.member_logits(x)  # (batch, outputs), or (batch, members, outputs)
                # 3. Loss: how wrong is that, in one number?
                loss = model.loss(logits, targets)  # ()
            # 4. Backward: how does the loss change with each parameter? The graph is walked back from the loss.
            loss.backward()
            # 5. Update: move each parameter a little to where the loss falls.
            optimizer.step()
            scheduler.step()
        metrics = evaluate(model, validation, autocast)
        print(f"epoch {epoch + 1}/{epochs}  {metrics}  {time.monotonic() - start:.1f} s", flush=True)


@torch.no_grad()
def evaluate(model: MLP, loader: BatchLoader, autocast: bool) -> str:
    """The mean loss and the accuracy, or R², on all samples of a loader."""
    model.eval()
    parts = []
    for samples, own, _ in loader:
        with torch.autocast(loader.device.type, torch.bfloat16, enabled=autocast):
            parts.append((model(samples).float(), own))
    outputs, targets = (torch.cat(part) for part in zip(*parts, strict=True))  # (n, outputs), (n,) or (n, outputs)
    if model.spec.loss == "mse":
        r2 = 1 - (outputs - targets).square().sum() / (targets - targets.mean()).square().sum()
        return f"val/loss {float(functional.mse_loss(outputs, targets)):#.4g}  val/r2 {float(r2):#.4g}"
    accuracy = (outputs.argmax(1) == targets).float().mean()
    return f"val/loss {float(functional.cross_entropy(outputs, targets)):#.4g}  val/accuracy {float(accuracy):#.4g}"


def device_of(command: Command) -> torch.device:
    """The device that fit.py trains on with these flags.

    Raises:
        UsageError: if there isn't one, or are several.
    """
    trainer = make_trainer(command.settings, command.logs, ResumePoints())
    if trainer.world_size > 1:
        raise UsageError(f"--devices {command.settings.devices}: this loop runs on one device; give --devices 1")
    prepare_device(trainer)
    return trainer.strategy.root_device


def check_flags(command: Command) -> None:
    """Raise a UsageError for a flag that this loop doesn't support."""
    supported = {"max_epochs", "precision", "accelerator", "devices"}
    defaults = vars(make_parser(command.settings.task, command.task).get_defaults())
    for name, value in command.arguments(Trainer).items():
        if name not in supported and value != defaults[name]:
            raise UsageError(f"--{name} {value}: this loop leaves it to fit.py")
    if command.settings.precision not in AUTOCAST:
        raise UsageError(f"--precision {command.settings.precision}: this loop knows 32-true and bf16-mixed only")
    if command.settings.max_epochs == -1:
        raise UsageError("--max_epochs -1: this loop needs an end")
    if command.run is not None:
        raise UsageError("--run and --resume are fit.py's: this loop keeps nothing to resume from")
