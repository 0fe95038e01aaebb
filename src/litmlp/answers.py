"""What a trained model says to a sample: the label, how sure it is, and the runner-up."""

import math
from typing import Any

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.ink import Ink
from litmlp.mlp import MLP
from litmlp.tasks import TASKS

LARGEST_NUMBER = 1e9  # far from any sample, and far from what would make float32 overflow in a network


def outputs_of(model: MLP, samples: Tensor) -> Tensor:
    """The probabilities (batch, classes), or the values (batch, outputs) of a regression, of raw samples."""
    with torch.inference_mode():
        logits: Tensor = model(samples)  # (batch, outputs)
        return logits.softmax(1) if model.settings.classes else logits


def answers_of(model: MLP, outputs: Tensor) -> list[dict[str, Any]]:
    """One answer for each row of outputs (batch, outputs), as plain values with six decimals.

    A classification's has ``label``, ``probability``, ``runner_up``, ``runner_up_probability`` and all
    ``probabilities`` in the order of the classes; a regression's has ``values``.

    Raises:
        Failure: if one isn't finite.
    """
    if not outputs.isfinite().all():
        raise Failure("the network's answer isn't finite: its training has diverged")
    rows = outputs.double().numpy().round(6).tolist()
    classes = model.settings.classes
    if not classes:
        return [{"values": row} for row in rows]
    best = outputs.topk(2).indices.tolist()  # [batch][2]
    return [
        {
            "label": classes[first],
            "probability": row[first],
            "runner_up": classes[second],
            "runner_up_probability": row[second],
            "probabilities": row,
        }
        for row, (first, second) in zip(rows, best, strict=True)
    ]


def ink_of_task(model: MLP) -> Ink | None:
    """How pictures are brought to the form of the model's samples; None for a model of numbers.

    Raises:
        Failure: if the model is for images of a task that isn't known here.
    """
    if len(model.sample_shape) != 3:
        return None
    task = TASKS.get(model.settings.task)
    if task is None or task.ink is None:
        raise Failure(f"the checkpoint's task is {model.settings.task}: it isn't known here how its images are made")
    return task.ink


def samples_of(model: MLP, numbers: Any) -> Tensor:
    """Raw samples (batch, *sample_shape) from nested lists of numbers. An image's only channel may be left out.

    Raises:
        Failure: if they are of another shape, aren't numbers, or can't be raw samples.
    """
    shape = model.sample_shape
    short = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    try:
        array = numpy.array(numbers)  # (batch, *shape) or (batch, *short)
    except ValueError:
        raise Failure(f"the samples are of different shapes: each must have shape {list(short)}") from None
    if array.shape[1:] not in (shape, short) or len(array) == 0:
        raise Failure(f"the samples have shape {list(array.shape)}: it must be {['n', *short]}, with n at least 1")
    if array.dtype.kind not in "iuf":
        raise Failure("the samples hold something that isn't a number of ordinary size")
    ink = ink_of_task(model)
    low, high = (-LARGEST_NUMBER, LARGEST_NUMBER) if ink is None else (0, ink.white)
    smallest, largest = float(array.min()), float(array.max())
    if math.isnan(smallest) or not low <= smallest <= largest <= high:
        meaning = "" if ink is None else ", black to white"
        found = smallest if math.isnan(smallest) or smallest < low else largest
        raise Failure(f"the samples hold the number {found}: they must be from {low:g} to {high:g}{meaning}")
    return torch.from_numpy(array.astype(numpy.float32)).reshape(-1, *shape)
