"""From a checkpoint to the network in it, whoever wrote the file."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from litmlp.errors import Failure, UsageError
from litmlp.model.checkpoint import read_checkpoint
from litmlp.model.network import Network
from litmlp.model.spec import Settings

PREFIX = "network."  # of the network's weights among those of the MLP around it


def load(path: str | Path) -> Network:
    """The trained network of a checkpoint, on the CPU, ready to answer. It takes neither Lightning nor the task.

    Args:
        path: a local file.

    Raises:
        Failure: if the file can't be read, is damaged, or isn't a checkpoint of LitMLP.
    """
    checkpoint = read_checkpoint(path)
    settings = settings_in(checkpoint, path)
    state_dict = checkpoint["state_dict"]
    weights = {name.removeprefix(PREFIX): state_dict[name] for name in state_dict if str(name).startswith(PREFIX)}
    with torch.device("meta"):  # without memory: who knows how wide a network the file asks for
        network = build(settings, path)
    check_weights(network, weights, path)
    network.load_state_dict({name: tensor.contiguous() for name, tensor in weights.items()}, assign=True)
    return network.float().requires_grad_(False).eval()


def settings_in(checkpoint: dict[str, Any], path: str | Path) -> Settings:
    """The settings of a checkpoint's network.

    Raises:
        Failure: if they are none.
    """
    try:
        return Settings.from_plain(checkpoint["hyper_parameters"])
    except (UsageError, KeyError, TypeError) as error:
        raise no_checkpoint(path, error) from error


def build(settings: Settings, path: str | Path) -> Network:
    """The network of these settings, which come from a checkpoint.

    Raises:
        Failure: if there is none.
    """
    try:
        return Network(settings)
    except (UsageError, RuntimeError, OverflowError) as error:  # torch refuses sizes beyond 2^63
        raise no_checkpoint(path, error) from error


def no_checkpoint(path: str | Path, error: Exception) -> Failure:
    """What to say about a file whose settings make no network."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    missing = f"{reason} is missing" if isinstance(error, KeyError) else reason
    return Failure(f"{path} is no checkpoint of LitMLP: {missing[:300]}")


def check_weights(module: nn.Module, weights: dict[str, Any], path: str | Path) -> None:
    """Check that weights fit a module, which may be on the meta device.

    Raises:
        Failure: if they don't, with the first that doesn't.
    """
    own = module.state_dict()
    for name in {**own, **weights}:
        is_empty = getattr(weights.get(name), "is_meta", False)
        found = "no tensor of plain numbers" if is_empty else summary_of(weights.get(name))
        expected = summary_of(own.get(name))
        if found != expected:
            raise Failure(f"{path} is no checkpoint of this model: {name} is {found} in it, not {expected}")


def summary_of(tensor: Any) -> str:
    """A tensor's shape, or what else it is, as far as it decides whether another can take its place."""
    if tensor is None:
        return "missing"
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        return "no tensor of plain numbers"
    kind = "" if tensor.is_floating_point() else " of whole numbers"
    return f"{tuple(tensor.shape)}{kind}"


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """A digest of a network's parameters and buffers: two are the same, bit for bit, if it is equal.

    It is the same for the network by itself and for the MLP around it.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted((name.removeprefix(PREFIX), tensor) for name, tensor in weights.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
