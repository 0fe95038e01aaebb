"""How long a table is trained on, and in which steps, by its rows."""

STEPS_AN_EPOCH = 100  # that the batch size is chosen for
ROWS_IN_ALL = 800_000  # that the epochs are chosen for: minutes on two cores
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
SMALLEST_BATCH, LARGEST_BATCH = 16, 4096


def schedule_for(rows: int) -> dict[str, int]:
    """The batch size and the epochs for so many rows to train on."""
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, ROWS_IN_ALL // rows))
    return {"batch_size": batch_size_for(rows), "max_epochs": epochs}


def batch_size_for(rows: int) -> int:
    """A power of two with which an epoch has about 100 steps."""
    wanted = max(1, rows // STEPS_AN_EPOCH)
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, 1 << wanted.bit_length() - 1))
