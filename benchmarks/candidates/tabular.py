"""The peers on a table, at their defaults but for one thread, a seed, and the categories where they take these.

``--folder`` holds train.csv, val.csv and test.csv; ``--output`` becomes a file of the test's metric.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy
import pandas

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "?")  # as our task has them
MOST_CATEGORIES = 254  # of a column that HistGradientBoosting takes; rarer ones are missing to it


class Data(NamedTuple):
    """Rows to fit and to test on, with numbers as such and texts as categories, and their targets."""

    fit: pandas.DataFrame
    test: pandas.DataFrame
    fit_targets: Any
    test_targets: Any

    @property
    def categories(self) -> list[str]:
        """The columns of categories."""
        return [name for name in self.fit if not pandas.api.types.is_numeric_dtype(self.fit[name])]


def read_data(folder: Path, target: str, metric: str, rows: str) -> Data:
    """Read the splits; the columns' names become c0, c1 and so on, since not every library takes every name."""
    names = [*rows.split("+"), "test"]
    parts = [pandas.read_csv(folder / f"{name}.csv", na_values=MISSING, keep_default_na=False) for name in names]
    test_rows = len(parts[-1])
    table = pandas.concat(parts, ignore_index=True)
    targets = table.pop(target)
    values = targets.to_numpy(float) if metric == "rmse" else pandas.factorize(targets.astype(str), sort=True)[0]
    table.columns = pandas.Index([f"c{place}" for place in range(table.shape[1])])
    fit, test = table.iloc[:-test_rows].copy(), table.iloc[-test_rows:].copy()
    for name in table:
        if not pandas.api.types.is_numeric_dtype(table[name]):
            known = sorted(fit[name].dropna().unique())
            unseen = ~test[name].isin(known)  # a category that only the test has is missing to all of them
            test.loc[unseen, name] = numpy.nan
            fit[name], test[name] = (pandas.Categorical(part[name].astype(object), known) for part in (fit, test))
    return Data(fit, test, values[:-test_rows], values[-test_rows:])


def hist_gradient_boosting(data: Data, regression: bool, seed: int) -> Any:
    """scikit-learn's, which stops early on a tenth of the rows where there are more than 10,000."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: PLC0415

    for name in data.categories:
        frequent = list(data.fit[name].value_counts().index[:MOST_CATEGORIES])
        for part in (data.fit, data.test):
            part[name] = part[name].cat.set_categories(frequent)
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return kind(categorical_features="from_dtype", random_state=seed).fit(data.fit, data.fit_targets)


def scikit_learn_mlp(data: Data, regression: bool, seed: int) -> Any:
    """scikit-learn's MLP on standardised numbers with medians for gaps, one-hot categories and a scaled target."""
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer  # noqa: PLC0415
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

    warnings.filterwarnings("ignore", category=ConvergenceWarning)  # it ends after its 200 epochs
    categories = data.categories
    for part in (data.fit, data.test):
        for name in categories:
            part[name] = part[name].astype(object).where(part[name].notna(), "missing")
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categories),
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            [name for name in data.fit if name not in categories],
        ),
    )
    if not regression:
        return make_pipeline(encoder, MLPClassifier(random_state=seed)).fit(data.fit, data.fit_targets)
    scaled = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
    return make_pipeline(encoder, scaled).fit(data.fit, data.fit_targets)


def xgboost(data: Data, regression: bool, seed: int) -> Any:
    """XGBoost's 100 trees."""
    from xgboost import XGBClassifier, XGBRegressor  # noqa: PLC0415

    kind = XGBRegressor if regression else XGBClassifier
    return kind(enable_categorical=True, random_state=seed, n_jobs=1).fit(data.fit, data.fit_targets)


def lightgbm(data: Data, regression: bool, seed: int) -> Any:
    """LightGBM's 100 trees."""
    from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415

    kind = LGBMRegressor if regression else LGBMClassifier
    return kind(random_state=seed, n_jobs=1, verbose=-1).fit(data.fit, data.fit_targets)


def catboost(data: Data, regression: bool, seed: int) -> Any:
    """CatBoost's 1000 trees."""
    from catboost import CatBoostClassifier, CatBoostRegressor  # noqa: PLC0415

    categories = data.categories
    for part in (data.fit, data.test):
        for name in categories:
            part[name] = part[name].astype(object).where(part[name].notna(), "missing")
    kind = CatBoostRegressor if regression else CatBoostClassifier
    model = kind(random_seed=seed, thread_count=1, cat_features=categories, verbose=0, allow_writing_files=False)
    return model.fit(data.fit, data.fit_targets)


MODELS: dict[str, Callable[[Data, bool, int], Any]] = {
    model.__name__: model for model in (hist_gradient_boosting, scikit_learn_mlp, xgboost, lightgbm, catboost)
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=MODELS, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--metric", choices=["rmse", "accuracy"], required=True)
    parser.add_argument("--rows", choices=["train", "train+val"], default="train+val", help="that are fitted on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    flags = parser.parse_args()
    data = read_data(flags.folder, flags.target, flags.metric, flags.rows)
    model = MODELS[flags.model](data, flags.metric == "rmse", flags.seed)
    predictions = numpy.ravel(model.predict(data.test))
    if flags.metric == "rmse":
        metric = float(numpy.sqrt(numpy.mean((predictions - data.test_targets) ** 2)))
    else:
        metric = float(numpy.mean(predictions == data.test_targets))
    flags.output.write_text(repr(metric))


if __name__ == "__main__":
    main()
