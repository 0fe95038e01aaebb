"""Checkpoint files: written so that no moment of a crash costs the previous one, read so that no file can do harm."""

import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from litmlp.errors import Failure

# What has to be in a checkpoint: a type, a pattern of a text, keys with what is behind them, or a list of alike items.
WEIGHTS = {
    "pytorch-lightning_version": re.compile(r"2(\.\d+)+((a|b|rc|\.post|\.dev)\d+)?"),
    "hyper_parameters": dict,
    "state_dict": dict,
}
COUNTS = {"current": dict.fromkeys(("ready", "completed", "started", "processed"), int)}
LOADERS = {"combined_loader": [{"batches_done": int}]}
RESUME_POINT = {
    **WEIGHTS,
    "epoch": int,
    "global_step": int,
    "loops": {"fit_loop": {"epoch_progress": COUNTS, "epoch_loop.batch_progress": COUNTS, "state_dict": LOADERS}},
    "callbacks": {
        "Checkpoints": {"seconds": float, "best_loss": float, "best": dict, "stopped_early": bool, "epochs": int}
    },
    "optimizer_states": [{"state": dict, "param_groups": [{"lr": float, "params": list}]}],
    "lr_schedulers": list,
    "train_metrics": [{"pending": list, "sums": [dict]}],
}


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
    except OSError as error:
        raise Failure(f"can't write {path} ({error.strerror}): make room or rights there, then go on") from error
    except RuntimeError as error:  # so torch's zip writer reports a full disk
        raise Failure(f"can't write {path} (the disk is full, or refuses it): make room there, then go on") from error


def read_checkpoint(path: str | Path, wanted: dict[str, Any] = WEIGHTS) -> dict[str, Any]:
    """Read a checkpoint of ours, onto the CPU.

    Nothing in the file can run: it is unpickled by torch's restricted reader, whatever the environment says, and
    its checksums are tested, because torch would load a flipped bit without a word.

    Args:
        path: a local file.
        wanted: what it has to hold: ``WEIGHTS`` or ``RESUME_POINT``.

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
            # torch.save doesn't compress. What claims to hold more than it has bytes would fill the memory.
            is_swollen = sum(member.file_size for member in archive.infolist()) > path.stat().st_size
            damaged = None if is_swollen else archive.testzip()
        checkpoint: Any = None
        if not is_swollen and damaged is None:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
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
    if is_swollen:
        raise Failure(f"{path} claims to hold more than it has bytes, which torch.save never does: it is refused")
    if damaged is not None:
        raise Failure(f"{path} is damaged: the checksum of {damaged} in it is wrong")
    check_content(checkpoint, wanted, path)
    return dict(checkpoint)


def check_content(checkpoint: Any, wanted: dict[str, Any], path: Path) -> None:
    """Raise a Failure that names the first place in which a checkpoint doesn't hold what it has to."""
    misfit = find_misfit(checkpoint, wanted)
    if misfit is not None:
        what = "/".join(misfit) or "what should be"
        raise Failure(f"{path} is no checkpoint of ours that serves here: {what} in it is missing or wrong")


def find_misfit(found: Any, wanted: Any) -> list[str] | None:
    """The keys that lead to the first value that isn't what is wanted; None if there is none."""
    if isinstance(wanted, type):
        return None if isinstance(found, wanted) else []
    if isinstance(wanted, re.Pattern):
        return None if isinstance(found, str) and wanted.fullmatch(found) else []
    if not isinstance(found, type(wanted)) or not found:
        return []
    alike = dict.fromkeys(range(len(found)), wanted[0]) if isinstance(wanted, list) else wanted
    for key, inside in alike.items():
        if isinstance(found, dict) and key not in found:
            return [str(key)]
        misfit = find_misfit(found[key], inside)
        if misfit is not None:
            return [str(key), *misfit]
    return None


class SafeCheckpointIO(TorchCheckpointIO):
    """Makes the Trainer read and write its checkpoints in the ways above."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()  # where this process has written checkpoints

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace a checkpoint. The ``last.ckpt`` of before is kept as ``previous.ckpt`` beside it."""
        path = Path(path)
        write_checkpoint(checkpoint, path, path.with_name("previous.ckpt") if path.name == "last.ckpt" else None)
        self.folders.add(path.resolve().parent)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint to resume from."""
        return read_checkpoint(path, RESUME_POINT)

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint for Lightning's ModelCheckpoint, which takes the path from the one it resumed from.

        Raises:
            Failure: if that isn't a checkpoint beside one that this process has written.
        """
        path = Path(path)
        if path.resolve().parent not in self.folders or path.suffix != ".ckpt" or path.is_dir():
            raise Failure(f"the checkpoint that this run went on from says to delete {path}: it is refused")
        path.unlink(missing_ok=True)
