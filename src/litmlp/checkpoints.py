"""Checkpoint files: written so that no moment of a crash costs the previous one, read so that no file can do harm."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from litmlp.errors import Failure

WEIGHT_KEYS = ("pytorch-lightning_version", "hyper_parameters", "state_dict")
RESUME_KEYS = ("epoch", "global_step", "loops", "callbacks", "optimizer_states", "lr_schedulers", "train_metrics")


def write_durably(path: Path, write: Callable[[Path], object], keep_as: Path | None = None) -> None:
    """Replace a file as one act: whoever looks, whenever the power fails, finds the old or the new file, whole.

    ``write`` fills a temporary file in the same folder (a rename across file systems would be a copy), which is
    forced to the disk and renamed, and then the folder is forced to the disk.

    Args:
        path: the file to replace.
        write: is called with the temporary file's path and writes it.
        keep_as: the name under which the old file, if there is one, is kept.

    Raises:
        OSError: if the disk is full, say; the old file is still there then, and no temporary one.
    """
    temporary = path.with_name(f".{path.name}.writing")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if keep_as is not None and path.exists():
            path.replace(keep_as)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_checkpoint(checkpoint: dict[str, Any], path: Path, keep_as: Path | None = None) -> None:
    """Write a checkpoint durably, keeping the one before under another name if asked to.

    Raises:
        Failure: if it can't be written; what was there before still is.
    """
    try:
        write_durably(path, lambda temporary: torch.save(checkpoint, temporary), keep_as)
    except (OSError, RuntimeError) as error:  # torch's zip writer reports a full disk as a RuntimeError
        raise Failure(f"can't write {path} ({error}): make room or rights there, then go on with --resume") from error


def read_checkpoint(path: str | Path, keys: tuple[str, ...] = WEIGHT_KEYS) -> dict[str, Any]:
    """Read a checkpoint of ours, onto the CPU.

    Nothing in the file can run: it is unpickled by torch's restricted reader, whatever the environment says, and
    its checksums are tested, because torch would load a flipped bit without a word.

    Args:
        path: a local file.
        keys: what it has to hold.

    Raises:
        Failure: if it isn't there, can't be read, is damaged, holds anything but plain values and tensors, or
            isn't a checkpoint of ours.
    """
    if "://" in str(path):
        raise Failure(f"{path} is a URL: checkpoints are read from local files only; download it first")
    path = Path(path)
    if path.is_dir():
        raise Failure(f"{path} is a folder, not a checkpoint")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        checkpoint: Any = torch.load(path, map_location="cpu", weights_only=True) if damaged is None else None
    except FileNotFoundError:
        raise Failure(f"there is no checkpoint {path}") from None
    except PermissionError:
        raise Failure(f"no rights to read {path}") from None
    except zipfile.BadZipFile:
        raise Failure(f"{path} is damaged, or no checkpoint: it isn't the zip archive that torch.save writes") from None
    except pickle.UnpicklingError:
        raise Failure(f"{path} holds more than plain values and tensors, which could run code: it is refused") from None
    except Exception as error:  # whatever else a broken or hostile file makes of zipfile and torch.load
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise Failure(f"{path} can't be read as a checkpoint: {reason[0]}") from error
    if damaged is not None:
        raise Failure(f"{path} is damaged: the checksum of {damaged} in it is wrong")
    missing = [key for key in keys if not isinstance(checkpoint, dict) or key not in checkpoint]
    if missing:
        raise Failure(f"{path} is no checkpoint of ours that serves here: {', '.join(missing)} missing in it")
    return dict(checkpoint)


class SafeCheckpointIO(TorchCheckpointIO):
    """Makes the Trainer read and write its checkpoints in the ways above."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace ``last.ckpt`` and keep the one before as ``previous.ckpt`` beside it."""
        write_checkpoint(checkpoint, Path(path), keep_as=Path(path).with_name("previous.ckpt"))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint to resume from."""
        return read_checkpoint(path, RESUME_KEYS + WEIGHT_KEYS)
