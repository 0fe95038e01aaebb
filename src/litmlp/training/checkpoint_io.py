"""Makes the Trainer write and read its checkpoints durably and without harm."""

import re
import sys
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from litmlp.errors import Failure, one_line
from litmlp.files import writing
from litmlp.model.checkpoint import IDENTITY, WEIGHTS, check_content, read_checkpoint, write_checkpoint
from litmlp.runs import Run

COUNTS = {"current": dict.fromkeys(("ready", "completed", "started", "processed"), int)}
LOADERS = {"combined_loader": [{"batches_done": int}]}
# What a checkpoint has to hold for a run to resume from it.
RESUME_POINT = {
    **WEIGHTS,
    "pytorch-lightning_version": re.compile(r"2(\.\d+)+((a|b|rc|\.post|\.dev)\d+)?"),
    "epoch": int,
    "global_step": int,
    "loops": {"fit_loop": {"epoch_progress": COUNTS, "epoch_loop.batch_progress": COUNTS, "state_dict": LOADERS}},
    "callbacks": {
        "ResumePoints": {
            "seconds": float,
            "best_loss": float,
            "best": dict,
            "stopped_early": bool,
            "epochs": int,
            "arithmetic": re.compile(r"[\w.+ -]{1,100}"),
        }
    },
    "optimizer_states": [{"state": dict, "param_groups": [{"lr": float, "params": list}]}],
    "lr_schedulers": list,
    "train_metrics": [{"pending": list, "sums": [dict]}],
}
# What other checkpoints hold: weights, and what is needed to use them. A run is resumed from last.ckpt only.
KEPT = ("epoch", "global_step", "pytorch-lightning_version", "hyper_parameters", "state_dict", *IDENTITY)


def read_resume_point(path: Path) -> dict[str, Any]:
    """Read a checkpoint to resume from.

    Raises:
        Failure: if it can't be read, or holds weights only.
    """
    checkpoint = read_checkpoint(path)
    if "loops" not in checkpoint:
        raise Failure(f"{path} holds weights only: to resume, name its run's folder, {path.parent.parent}")
    check_content(checkpoint, RESUME_POINT, path)
    return checkpoint


def is_between_epochs(checkpoint: dict[str, Any]) -> bool:
    """Whether a resume point lies at an epoch's end."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
    return bool(progress["ready"] == progress["processed"])


def newest_resume_point(run: Run) -> tuple[Path | None, dict[str, Any]]:
    """The newest intact checkpoint to resume from, and its content; None and {} if there is none.

    Damaged ones are named on stderr and skipped.
    """
    for path in (run.last, run.previous):
        if path.exists():
            try:
                return path, read_resume_point(path)
            except Failure as failure:
                print(one_line(f"skipped: {failure}"), file=sys.stderr)
    return None, {}


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's interface to checkpoint files."""

    def __init__(self) -> None:
        self.folders: set[Path] = set()  # where this process has written checkpoints
        self.is_newest_between_epochs = True

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace a checkpoint. The previous ``last.ckpt`` is kept as ``previous.ckpt``; others hold weights only.

        Of several processes, some may be lost for good, and the others can resume at an epoch's end only: so what they
        keep is of such an end.
        """
        path = Path(path)
        if path.name == "last.ckpt":
            is_kept = self.is_newest_between_epochs or len(checkpoint["train_metrics"]) == 1
            write_checkpoint(checkpoint, path, path.with_name("previous.ckpt") if is_kept else None)
            self.is_newest_between_epochs = "loops" in checkpoint and is_between_epochs(checkpoint)
        else:
            with writing(path, "make room or rights there, then resume"):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_checkpoint({name: checkpoint[name] for name in KEPT if name in checkpoint}, path)
        self.folders.add(path.resolve().parent)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint to resume from."""
        checkpoint = read_resume_point(Path(path))
        self.is_newest_between_epochs = is_between_epochs(checkpoint)
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint for Lightning's ModelCheckpoint, which takes the path from the one it resumed from.

        Raises:
            Failure: if that isn't a checkpoint beside one that this process has written.
        """
        path = Path(path)
        if path.resolve().parent not in self.folders or path.suffix != ".ckpt" or path.is_dir():
            raise Failure(f"the checkpoint that this run resumed from says to delete {path}: it is refused")
        path.unlink(missing_ok=True)
