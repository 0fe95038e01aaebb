"""Lightning's ModelCheckpoint, made exact to resume."""

import os
from pathlib import PurePath
from string import Formatter
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from litmlp.errors import UsageError
from litmlp.model.loading import summary_of
from litmlp.training.resume import ResumePoints

DEFAULT_NAME = "{epoch}-{step}"
# Arguments that can't be exact, or would reach out of the run, with what to do instead.
REFUSED = {
    "dirpath": "its checkpoints lie in the run's folder; leave the flag out",
    "save_last": "last.ckpt is the run's own resume point; leave the flag out",
    "save_on_exception": "where an error comes no run can be resumed exactly; leave the flag out",
    "train_time_interval": "no run could be repeated; use --callbacks.every_n_epochs",
}
SCORES = ("best_model_score", "current_score", "kth_value")


class ExactModelCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, with the same files in a resumed run as in one that wasn't interrupted.

    A resumed run repeats what an interrupted one did after its resume point. The files that are left of that have their
    step in their names, and are replaced by the same; Lightning would write others beside them.

    Args:
        **arguments: those of Lightning's class.

    Raises:
        UsageError: if an argument can't be exact.
    """

    def __init__(self, **arguments: Any) -> None:
        for name, reason in REFUSED.items():
            if arguments.get(name):
                raise UsageError(f"--callbacks.{name} {arguments[name]}: {reason}")
        super().__init__(**{**arguments, "enable_version_counter": False})
        self.metrics = self._metrics_in_name()
        if arguments.get("every_n_train_steps") and (self.monitor or self.metrics):
            raise UsageError(
                "--callbacks.every_n_train_steps: a step has no metrics yet; use --callbacks.every_n_epochs"
            )

    def _metrics_in_name(self) -> set[str]:
        """The metrics that the names of the files hold."""
        template = self.filename or DEFAULT_NAME
        wrong = UsageError(f"--callbacks.filename {template}: must be like '{DEFAULT_NAME}-{{val/loss:.3f}}'")
        try:
            names = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
            values = {name: torch.tensor(0 if name in ("epoch", "step") else 0.0) for name in names}
            parts = PurePath(self.format_checkpoint_name(values)).parts
        except (ValueError, LookupError, AttributeError, TypeError):
            raise wrong from None
        if PurePath(template).is_absolute() or ".." in parts or max(map(len, parts)) > 200:
            raise wrong
        if "step" not in names:
            raise UsageError(
                f"--callbacks.filename {template}: must have {{step}} in it, so that each file has its name"
            )
        return names - {"epoch", "step"}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write to the run's folder, whatever its logger does."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ResumePoints):
                self.dirpath = str(callback.run.best.parent.absolute())
        super().setup(trainer, pl_module, stage)

    def state_dict(self) -> dict[str, Any]:
        """Lightning's state, and the step of the newest file, by which it is known not to be written twice."""
        return {**super().state_dict(), "saved_step": self._last_global_step_saved}

    def check_state(self, state: Any) -> bool:
        """Whether a state can be this callback's, whoever wrote the file that it is from."""
        if not isinstance(state, dict) or state.keys() != self.state_dict().keys():
            return False
        best, kth = state["best_k_models"], state["kth_best_model_path"]
        paths = [state[name] for name in state if name.endswith("path")]  # dirpath among them
        if not isinstance(best, dict) or not all(map(is_path, [*paths, *best])):
            return False
        scores = [*best.values(), *(state[name] for name in SCORES if state[name] is not None)]
        is_full = len(best) == self.save_top_k > 0
        return (
            all(summary_of(score) == "()" and not score.is_meta for score in scores)
            and (self.save_top_k == -1 or len(best) <= self.save_top_k)
            and (kth in best or not is_full)
            and type(state["saved_step"]) is int
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of the resume point, also of a run whose folder has been moved."""
        self._last_global_step_saved = state_dict["saved_step"]
        before = state_dict["dirpath"]

        def moved(path: str) -> str:
            return str(PurePath(str(self.dirpath), os.path.relpath(path, before))) if path else path

        paths = {name: moved(path) for name, path in state_dict.items() if name.endswith("_model_path")}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": best, "dirpath": self.dirpath})


def is_path(value: Any) -> bool:
    """Whether a value can be the path of a file, or none yet."""
    try:
        return isinstance(value, str) and "\0" not in value and len(os.fsencode(PurePath(value).name)) <= 255
    except UnicodeEncodeError:
        return False
