"""Leaves out what the libraries say and no user can use."""

import logging
import threading
import warnings


def silence_libraries() -> None:
    """Leave out Lightning's adverts, and what doesn't apply here, is said twice, or only its authors can mend."""
    threading.excepthook = leave_out_of_the_writer
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for asked_for in ("callbacks.model_summary", "profilers.profiler"):
        logging.getLogger(f"lightning.pytorch.{asked_for}").setLevel(logging.INFO)
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns where a resumed run's curves replace others
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)  # inside Lightning
    warnings.filterwarnings("ignore", ".*torch.jit.trace.* is deprecated")  # inside SummaryWriter
    warnings.filterwarnings("ignore", ".*is supported for historical reasons")  # of --precision 16, say
    warnings.filterwarnings("ignore", ".*smaller than the logging interval")  # we log by the step, not the batch
    warnings.filterwarnings("ignore", ".*irectory .* exists and is not empty")  # a resumed run's, whose files are kept
    warnings.filterwarnings("ignore", ".*sync_dist=True")  # it is, where there are several processes
    warnings.filterwarnings("ignore", ".*AMP with fp16 is not supported on CPU")  # which is refused


def leave_out_of_the_writer(failed: threading.ExceptHookArgs) -> None:
    """Print an exception of any thread but TensorBoard's writer, whose OSErrors the main thread is given, too."""
    is_writer = failed.thread is not None and type(failed.thread).__name__ == "_AsyncWriterThread"
    if not (is_writer and isinstance(failed.exc_value, OSError)):
        threading.__excepthook__(failed)
