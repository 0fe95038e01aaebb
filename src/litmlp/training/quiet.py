"""Leaves out what the libraries say and no user can use."""

import logging
import threading
import warnings


def silence_libraries() -> None:
    """Leave out Lightning's adverts, and what doesn't apply here, is said twice, or only its authors can mend."""
    threading.excepthook = leave_out_of_the_writer
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)  # inside Lightning
    warnings.filterwarnings("ignore", ".*torch.jit.trace.* is deprecated")  # inside SummaryWriter
    warnings.filterwarnings("ignore", ".*smaller than the logging interval")  # we log by the step, not the batch


def leave_out_of_the_writer(failed: threading.ExceptHookArgs) -> None:
    """Print an exception of any thread but TensorBoard's writer, whose OSErrors the main thread is given, too."""
    is_writer = failed.thread is not None and type(failed.thread).__name__ == "_AsyncWriterThread"
    if not (is_writer and isinstance(failed.exc_value, OSError)):
        threading.__excepthook__(failed)
