"""Whether a resume point holds what this run would have written itself, so that nothing in it breaks the training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, WeightAveraging
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from torch import Tensor

from litmlp.model.checkpoint import unusable
from litmlp.model.loading import check_weights, summary_of
from litmlp.training.mlp import MLP
from litmlp.training.model_checkpoint import ExactModelCheckpoint

LARGEST_COUNT = 2**53
RATES = ("lr", "initial_lr")  # what a schedule changes of an optimizer's settings
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
STATES = {"adam": MOMENTS, "adamw": MOMENTS, "sgd": ("momentum_buffer",)}  # of each parameter
REASONS = [reason.value for reason in EarlyStoppingReason]
BEST = {"epoch": 0, "global_step": 0, "state_dict": dict}


def check_resume_point(content: dict[str, Any], model: MLP, trainer: Trainer, path: Path) -> None:
    """Compare a resume point with the states that the run's own objects have before its start.

    Args:
        content: of the checkpoint.
        model: the run's.
        trainer: the run's, not started yet.
        path: of the checkpoint.

    Raises:
        Failure: if a value is missing, or of another type, shape or range than the run's own.
    """
    check_weights(model, content["state_dict"], path)
    if best := content["callbacks"]["ResumePoints"]["best"]:
        require_alike(best, BEST, ["callbacks", "ResumePoints", "best"], path)
        check_weights(model, best["state_dict"], path)
    for keys, like in states_of(model, trainer):
        found: Any = content
        for key in keys:
            found = found[key]
        require_alike(found, like, keys, path)
    check_optimizer(content["optimizer_states"], model, path)
    for progress in content["train_metrics"]:
        check_metrics(progress, model, path)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        check_callback(callback, content, model, path)


def states_of(model: MLP, trainer: Trainer) -> Iterator[tuple[list[str], Any]]:
    """The states of the run's own objects before its start, each with the keys that lead to it in a resume point."""
    yield ["global_step"], 0
    yield ["epoch"], 0
    loops = trainer.fit_loop.state_dict()
    yield ["loops", "fit_loop"], {**loops, "state_dict": {"combined_loader": [{"batches_done": 0}]}}
    schedule = model.optimizer_and_scheduler(1)[1].state_dict()
    yield ["lr_schedulers"], [] if model.schedule == "constant" else [schedule]


def check_callback(callback: Callback, content: dict[str, Any], model: MLP, path: Path) -> None:
    """Check the state of one of Lightning's callbacks. That of a user's own is the user's business.

    Raises:
        Failure: if it isn't one of this callback's.
    """
    keys, states = ["callbacks", callback.state_key], content["callbacks"]
    if callback.state_key not in states:  # the run is given it only now
        return
    state = states[callback.state_key]
    if isinstance(callback, ExactModelCheckpoint) and not callback.check_state(state):
        raise unusable(path, keys)
    if not type(callback).__module__.startswith("lightning."):
        return
    require_alike(state, callback.state_dict(), keys, path)
    if isinstance(callback, EarlyStopping) and state["stopping_reason"] not in REASONS:
        raise unusable(path, [*keys, "stopping_reason"])
    if isinstance(callback, WeightAveraging):
        require_alike(content.get("current_model_state"), dict, ["current_model_state"], path)
        check_weights(model, content["current_model_state"], path)
        require_alike(content.get("averaging_state"), {"n_averaged": torch.tensor(0)}, ["averaging_state"], path)


def check_optimizer(states: list[Any], model: MLP, path: Path) -> None:
    """Check the state of the optimizer, of which there is one.

    Raises:
        Failure: if it isn't of this model's.
    """
    (group,) = model.optimizer_and_scheduler(1)[0].state_dict()["param_groups"]
    like = {"state": dict, "param_groups": [group]}
    require_alike(states, [like], ["optimizer_states"], path)
    (found,) = states[0]["param_groups"]
    different = [name for name in group if name not in RATES and found[name] != group[name]]
    if different:
        raise unusable(path, ["optimizer_states", different[0]])
    names = STATES[model.optimizer]
    parameters = {
        index: {name: torch.tensor(0.0) if name == "step" else parameter for name in names}
        for index, parameter in enumerate(model.parameters())
    }
    if states[0]["state"]:  # before the first step it is empty
        require_alike(states[0]["state"], parameters, ["optimizer_states", "state"], path)


def check_metrics(progress: dict[str, Any], model: MLP, path: Path) -> None:
    """Check what a process had collected of the epoch's metrics.

    Raises:
        Failure: if it isn't of this model's.
    """
    outputs = model.spec.outputs
    likes = model.train_metrics.progress()["sums"]
    for found, like in zip(progress["sums"], likes, strict=False):
        for name in like:  # once there are samples, torchmetrics has a sum for each output
            if isinstance(found.get(name), Tensor) and found[name].shape == (outputs,):
                like[name] = like[name].new_zeros(outputs)
    require_alike(progress["sums"], likes, ["train_metrics", "sums"], path)
    for batch in progress["pending"]:
        samples = len(batch[1]) if isinstance(batch, list) and len(batch) == 3 and is_matrix(batch[1]) else 0
        targets = torch.zeros(samples, outputs) if model.spec.classes is None else torch.zeros(samples).long()
        like = [torch.tensor(0.0), torch.zeros(samples, outputs), targets]
        require_alike(batch, like, ["train_metrics", "pending"], path)


def is_matrix(value: Any) -> bool:
    """Whether it is a tensor of two dimensions."""
    return isinstance(value, Tensor) and value.dim() == 2


def require_alike(found: Any, like: Any, keys: list[str], path: Path) -> None:
    """Raise a Failure that names the first place in which a value of a resume point isn't like the run's own."""
    difference = find_difference(found, like)
    if difference is not None:
        raise unusable(path, [*keys, *difference])


def find_difference(found: Any, like: Any) -> list[str] | None:
    """The keys that lead to the first value that isn't of the type, shape or range of another; None if there is none.

    Args:
        found: any value.
        like: a type; or a value, whose dicts and lists have the keys and lengths that are expected.
    """
    if isinstance(like, type):
        return None if isinstance(found, like) else []
    if isinstance(like, Tensor):
        return None if summary_of(found) == summary_of(like) and not found.is_meta and found.is_contiguous() else []
    if type(found) is not type(like):
        return None if like is None and isinstance(found, str) else []  # a message that wasn't there yet
    if isinstance(like, dict | list | tuple):
        own, other = (value if isinstance(value, dict) else dict(enumerate(value)) for value in (found, like))
        for key in {**other, **own}:
            difference = find_difference(own[key], other[key]) if key in own and key in other else []
            if difference is not None:
                return [str(key), *difference]
    return [] if type(found) is int and not 0 <= found < LARGEST_COUNT else None
