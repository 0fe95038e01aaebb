"""What a task has to load, checked before anything is learned from it."""

from typing import Any

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.model.spec import Spec

CHUNK = 65_536  # samples that are looked at together


def check_loaded(loaded: Any, spec: Spec, source: str) -> tuple[Tensor, Tensor]:
    """The samples and targets that a task has loaded.

    Args:
        loaded: what its ``load`` has returned.
        spec: what the task says of itself.
        source: what was loaded, such as "log's training set".

    Raises:
        Failure: if they aren't of the form that :meth:`litmlp.Task.load` has to return.
    """
    tensors = isinstance(loaded, tuple) and len(loaded) == 2 and all(isinstance(part, Tensor) for part in loaded)
    require(tensors, source, "load() must return two tensors, samples and targets")
    samples, targets = loaded
    require(len(samples.shape) > 0 and len(samples) > 0, source, "it has no samples")
    expected = (len(samples), *spec.sample_shape)
    require(samples.shape == expected, source, f"its samples have shape {tuple(samples.shape)}, not {expected}")
    real = not samples.is_complex() and not samples.is_quantized and samples.layout == torch.strided
    require(real, source, f"its samples are {samples.dtype} ({samples.layout}), not a dense tensor of real numbers")
    if spec.table is None:
        require_finite(samples, source, "samples")
    else:
        require_finite(samples.nan_to_num(), source, "samples")  # of a row NaN is a missing value
    if spec.classes is None:
        check_values(targets, (len(samples), spec.outputs), source)
    else:
        check_classes(targets, len(samples), spec.outputs, source)
    return samples, targets


def check_values(targets: Tensor, expected: tuple[int, int], source: str) -> None:
    """Check a regression's targets, which are to have the shape ``expected``."""
    shape, dtype = tuple(targets.shape), targets.dtype
    hint = "; use targets.unsqueeze(1)" if shape == expected[:1] and expected[1] == 1 else ""
    require(shape == expected, source, f"its targets have shape {shape}, not {expected}{hint}")
    require(dtype == torch.float32, source, f"its targets are {dtype}, not float32; use targets.float()")
    require_finite(targets, source, "targets")


def check_classes(targets: Tensor, samples: int, classes: int, source: str) -> None:
    """Check a classification's targets: an index of a class for each sample."""
    shape, dtype = tuple(targets.shape), targets.dtype
    hint = "; use targets.squeeze(1)" if shape == (samples, 1) else ""
    require(shape == (samples,), source, f"its targets have shape {shape}, not ({samples},){hint}")
    require(dtype == torch.int64, source, f"its targets are {dtype}, not int64; use targets.long()")
    wrong = ((targets < 0) | (targets >= classes)).nonzero().flatten()  # (samples of no class,)
    if len(wrong):
        first, index = int(wrong[0]), int(targets[wrong[0]])
        raise Failure(f"{source}: sample {first} is of class {index}, but the classes are 0 to {classes - 1}")


def require_finite(values: Tensor, source: str, what: str) -> None:
    """Check that there is neither NaN nor infinity among samples or targets."""
    if not values.is_floating_point():
        return
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        finite = chunk.isfinite().flatten(1).all(1)  # (samples of the chunk,)
        if not finite.all():
            index = start + int((~finite).nonzero()[0])
            found = values[index][~values[index].isfinite()].flatten()[0].item()
            raise Failure(
                f"{source}: the {what} hold {found} (first in sample {index}): fill or leave out what is missing"
            )


def require(condition: bool, source: str, complaint: str) -> None:
    """Raise a Failure, unless the condition holds."""
    if not condition:
        raise Failure(f"{source}: {complaint}")
