"""scikit-learn's MLPClassifier in float32. It has no schedule for Adam, and validates nothing unless asked to."""

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.candidates.data import parser_of_flags, read_data


def main() -> None:
    """Run the command."""
    flags = parser_of_flags(__doc__).parse_args()
    warnings.filterwarnings("ignore", category=ConvergenceWarning)  # it ends after the epochs it is given
    data = read_data(flags.arrays)
    model = MLPClassifier(
        flags.hidden,
        batch_size=flags.batch_size,
        learning_rate_init=flags.lr,
        alpha=0.0,
        max_iter=flags.epochs,
        random_state=flags.seed,
        verbose=True,  # prints "Iteration N, loss = …" at each epoch's end
    )
    model.fit(*data.train)
    print(f"val/accuracy {model.score(*data.val):.4f}")
    print(f"test/accuracy {model.score(*data.test):.4f}")


if __name__ == "__main__":
    main()
