"""What a network says of samples: the label, how sure it is, and the runner-up."""

from typing import Any

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.model.network import Network


def outputs_of(network: Network, samples: Tensor) -> Tensor:
    """The probabilities (batch, classes), or the values (batch, outputs) of a regression, of raw samples."""
    with torch.inference_mode():
        return network.probabilities(samples)


def predictions_from(network: Network, outputs: Tensor) -> list[dict[str, Any]]:
    """One prediction for each row of outputs (batch, outputs), as plain values.

    A classification's has ``label``, ``probability``, ``runner_up``, ``runner_up_probability`` and all
    ``probabilities`` in the order of the classes, with six decimals; a regression's has ``values``, with seven
    significant digits.

    Raises:
        Failure: if one isn't finite.
    """
    if not outputs.isfinite().all():
        raise Failure("the network's answer isn't finite: its training has diverged")
    classes = network.spec.classes
    if classes is None:
        return [{"values": [float(f"{value:.7g}") for value in row]} for row in outputs.tolist()]
    rows = outputs.double().numpy().round(6).tolist()
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


def in_words(answer: dict[str, Any]) -> str:
    """The answer for people."""
    if "values" in answer:
        return "  ".join(f"{value:.6g}" for value in answer["values"])
    return (
        f"{answer['label']}  {answer['probability']:.1%}"
        f"  (then {answer['runner_up']}  {answer['runner_up_probability']:.1%})"
    )
