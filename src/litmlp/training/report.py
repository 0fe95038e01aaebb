"""An epoch's metrics, for the bar, the callbacks and the loggers."""

from typing import TYPE_CHECKING

from litmlp.training.metrics import EpochMetrics

if TYPE_CHECKING:
    from litmlp.training.mlp import MLP


def report(model: "MLP", stage: str, metrics: EpochMetrics) -> None:
    """Report what the metrics have collected, which then begin again.

    Args:
        model: in a Trainer.
        stage: train, val or test; the test's metrics are logged when the run is complete.
        metrics: of the stage.
    """
    values = {f"{stage}/{name}": value for name, value in metrics.compute_and_reset().items()}
    model.log_dict(values, prog_bar=True, logger=False, sync_dist=model.trainer.world_size > 1)
    if stage == "test" or model.trainer.sanity_checking:
        return
    numbers = {name: float(value) for name, value in values.items()}
    # Named, since Lightning's is off by one after a resume; while gradients accumulate the step ahead, so that what is
    # logged after a resume point has a step that a resume purges.
    step = model.trainer.global_step - (0 if model.is_accumulating else 1)
    for logger in model.trainer.loggers:
        logger.log_metrics(numbers, step=step)
