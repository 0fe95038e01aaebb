"""Checkpoint files: written so that no moment of a crash costs the previous one, read so that no file can do harm."""

import os
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

import litmlp
from litmlp.errors import Failure
from litmlp.files import write_durably
from litmlp.structure import find_mismatch

FORMAT = 2  # of what a checkpoint holds: raised with every change that an older version couldn't read
IDENTITY = {"litmlp_format": FORMAT, "litmlp_version": litmlp.__version__}

# What a checkpoint has to hold for its network to be used.
WEIGHTS = {
    "litmlp_version": re.compile(r"[\w.+]{1,40}"),
    "hyper_parameters": {"spec": dict},
    "state_dict": dict,
}


def write_checkpoint(checkpoint: dict[str, Any], path: Path, keep_as: Path | None = None) -> None:
    """Write a checkpoint durably, keeping the previous one under another name if asked to.

    Raises:
        Failure: if it can't be written; what was there before still is.
    """
    try:
        write_durably(path, lambda temporary: torch.save(checkpoint, temporary), keep_as)
    except OSError as error:
        raise Failure(f"can't write {path} ({error.strerror}): make room or rights there, then resume") from error
    except RuntimeError as error:  # so torch's zip writer reports a full disk
        raise Failure(f"can't write {path} (the disk is full, or refuses it): make room there, then resume") from error


def read_checkpoint(path: str | Path, expected: dict[str, Any] = WEIGHTS) -> dict[str, Any]:
    """Read a checkpoint of LitMLP, onto the CPU.

    Nothing in the file can run: it is unpickled by torch's restricted reader, whatever the environment says, and
    its checksums are tested, because torch would load a flipped bit without a word.

    Args:
        path: a local file.
        expected: what it has to hold.

    Raises:
        Failure: if it isn't there, can't be read, is damaged, holds anything but plain values and tensors, isn't a
            checkpoint of LitMLP, or is one of another format.
    """
    if "://" in str(path):
        raise Failure(f"{path} is a URL: checkpoints are read from local files only; download it first")
    path = Path(path)
    checkpoint = unpickle(path)
    check_format(checkpoint, path)
    check_content(checkpoint, expected, path)
    return dict(checkpoint)


def unpickle(path: Path) -> Any:
    """The content of a file that torch.save has written, once its checksums are tested.

    Raises:
        Failure: if there is none, or it could do harm.
    """
    # Unlike Path's methods, those of os.path say no where there can't be such a name, or we have no rights to look.
    if os.path.isdir(path):  # noqa: PTH112
        raise Failure(f"{path} is a folder: name a checkpoint in it")
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        raise Failure(f"{path} is a device or a pipe, no file")
    try:
        with zipfile.ZipFile(path) as archive:
            # torch.save never compresses: what claims to be larger than the file would fill the memory
            is_swollen = sum(member.file_size for member in archive.infolist()) > path.stat().st_size
            damaged = None if is_swollen else archive.testzip()
        if not is_swollen and damaged is None:
            with warnings.catch_warnings(action="ignore"):  # about tensors of kinds that are refused later
                return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Failure(f"there is no checkpoint {path}") from None
    except PermissionError:
        raise Failure(f"no rights to read {path}") from None
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror or error}") from None
    except zipfile.BadZipFile:
        raise Failure(f"{path} is damaged, or no checkpoint: it isn't the zip archive that torch.save writes") from None
    except pickle.UnpicklingError:
        raise Failure(f"{path} holds more than plain values and tensors, which could run code: it is refused") from None
    except Exception as error:  # whatever else a broken or hostile file makes of zipfile and torch.load
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise Failure(f"{path} can't be read as a checkpoint: {reason[0]}") from error
    if is_swollen:
        raise Failure(f"{path} claims to hold more than it has bytes, which torch.save never does: it is refused")
    raise Failure(f"{path} is damaged: the checksum of {damaged} in it is wrong")


def check_format(checkpoint: Any, path: Path) -> None:
    """Check that this version reads a checkpoint's format.

    Raises:
        Failure: if it was written by an older or a newer version.
    """
    if not isinstance(checkpoint, dict):
        return
    found, version = checkpoint.get("litmlp_format"), checkpoint.get("litmlp_version")
    parameters = checkpoint.get("hyper_parameters")
    if found is None and isinstance(parameters, dict) and {"task", "sample_shape", "outputs"} <= parameters.keys():
        found, version = 1, "0.1.0"  # which named no format yet
    if type(found) is not int or find_mismatch(version, WEIGHTS["litmlp_version"]) is not None:
        raise Failure(f"{path} is no checkpoint of LitMLP: it names no format and version")
    if found != FORMAT:
        advice = f"fit it again, or use LitMLP {version}" if found < FORMAT else "upgrade LitMLP"
        raise Failure(
            f"{path} was written by LitMLP {version} in format {found}, and LitMLP {litmlp.__version__} reads format"
            f" {FORMAT} only: {advice}"
        )


def check_content(checkpoint: Any, expected: dict[str, Any], path: Path) -> None:
    """Raise a Failure that names the first place in which a checkpoint doesn't hold what it has to."""
    mismatch = find_mismatch(checkpoint, expected)
    if mismatch is not None:
        raise unusable(path, mismatch)


def unusable(path: Path, keys: list[str]) -> Failure:
    """What to say about a checkpoint in which there isn't what has to be, where the keys lead."""
    what = "/".join(keys) or "what should be"
    return Failure(f"{path} is no checkpoint of LitMLP that can be used here: {what} in it is missing or wrong")
