"""A run's loggers, whose curves continue where its resume point is."""

import csv
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from litmlp.runs import Run
from litmlp.training.mlp import MLP
from litmlp.training.preflight import as_list

LIGHTNINGS_NAME = "lightning_logs"  # of a logger's folder, where none was chosen


def add_loggers(trainer: Trainer, wanted: Any, run: Run, model: MLP, resume_point: dict[str, Any]) -> None:
    """Give the Trainer the run's TensorBoard logger, or what ``--logger`` says instead.

    Curves that continue after the resume point, or begin again, replace what an interrupted process had logged there.

    Args:
        trainer: the run's.
        wanted: the value of ``--logger``.
        run: where to log.
        model: whose graph to log.
        resume_point: what the run continues from; empty at its start.
    """
    if wanted is False:
        return
    first_step = resume_point.get("global_step", 0)
    if wanted is not None and wanted is not True:
        trainer.loggers = [
            in_run(logger, run, first_step) if isinstance(logger, partial) else logger for logger in as_list(wanted)
        ]
        return
    logger = in_run(partial(TensorBoardLogger, save_dir="", default_hp_metric=False), run, first_step)
    trainer.loggers = [logger]
    if not resume_point and trainer.is_global_zero:
        logger.experiment.add_graph(model.network, torch.zeros(1, *model.spec.sample_shape))


def in_run(logger: "partial[Any]", run: Run, first_step: int) -> Any:
    """A logger to files in the run's folder, or below the one given, under the run's task and name.

    Args:
        logger: one of Lightning's two, without its folder.
        run: the run.
        first_step: what was logged from this step on is replaced.
    """
    asked = logger.keywords
    name = asked.get("name", LIGHTNINGS_NAME)
    place = {
        "save_dir": asked["save_dir"] or run.folder.parent.parent,
        "name": run.folder.parent.name if name == LIGHTNINGS_NAME else name,
        "version": run.folder.name if asked.get("version") is None else asked["version"],
    }
    if logger.func is TensorBoardLogger:
        return logger(**place, purge_step=first_step)
    curves = logger(**place)
    assert isinstance(curves, CSVLogger)
    continue_rows(curves, first_step)
    return curves


@rank_zero_only
def continue_rows(logger: CSVLogger, first_step: int) -> None:
    """Keep the rows of a logger's file up to a step. Lightning begins the file again; a killed process may tear it."""
    path = Path(logger.log_dir) / "metrics.csv"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    whole_lines = csv.DictReader(StringIO(text[: text.rfind("\n") + 1]))
    logger.experiment.metrics.extend(row for row in whole_lines if int(row["step"]) < first_step)
    logger.save()
