"""Keras 3 on JAX, as its guides have it: a Sequential model, ``compile`` and ``fit`` with validation data."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import math

import keras

from benchmarks.candidates.data import parser_of_flags, read_data


def print_line(epoch: int, metrics: dict[str, float]) -> None:
    """Print an epoch's metrics, after its validation."""
    print(f"epoch {epoch + 1}", metrics, flush=True)


def main() -> None:
    """Run the command."""
    flags = parser_of_flags(__doc__).parse_args()
    keras.utils.set_random_seed(flags.seed)
    data = read_data(flags.arrays)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            *(keras.layers.Dense(width, activation="relu") for width in flags.hidden),
            keras.layers.Dense(10),
        ]
    )
    steps = math.ceil(len(data.train[0]) / flags.batch_size) * flags.epochs
    rate = keras.optimizers.schedules.CosineDecay(flags.lr, steps) if flags.cosine else flags.lr
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        *data.train,
        batch_size=flags.batch_size,
        epochs=flags.epochs,
        validation_data=data.val,
        validation_batch_size=1024,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=print_line)],
    )
    print(f"test/accuracy {model.evaluate(*data.test, batch_size=1024, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main()
