"""The tables that the tabular benchmark uses, and their splits, the same for all candidates."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy
import torch
from torch import Tensor

from litmlp.tasks.splits import split_rows

Rows = list[list[str]]
Parts = dict[str, Rows]  # the rows of train, val and test
ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
)  # fmt: skip
HOLDOUT = 0.2  # of all rows for the test, and of the others for validation


class Table(NamedTuple):
    """A table of the benchmark.

    Attributes:
        file: its name in the folder of tables.
        target: the column to predict.
        metric: of the test; rmse for a regression, in the target's units.
        split: its header, and the rows of train, val and test by a seed, from its lines.
    """

    file: str
    target: str
    metric: Literal["rmse", "accuracy"]
    split: Callable[["Table", Path, int], tuple[list[str], Parts]]

    def write(self, tables: Path, seed: int, folder: Path) -> None:
        """Write train.csv, val.csv and test.csv into a folder that is made."""
        header, parts = self.split(self, tables, seed)
        folder.mkdir(parents=True)
        for name, rows in parts.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *rows])


def read(path: Path) -> Rows:
    """The lines of a CSV file, with spaces after commas and empty lines left out."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [row for row in csv.reader(file, skipinitialspace=True) if row]


def by_seed(*left_out: str) -> Callable[[Table, Path, int], tuple[list[str], Parts]]:
    """A split by the seed: 64, 16 and 20 % of the rows, stratified by class; equal rows stay on one side.

    Args:
        left_out: the columns of identifiers, which no candidate gets.
    """

    def split(table: Table, tables: Path, seed: int) -> tuple[list[str], Parts]:
        header, *rows = read(tables / table.file)
        kept = [place for place, name in enumerate(header) if name not in left_out]
        header, rows = [header[place] for place in kept], [[row[place] for place in kept] for row in rows]
        target = header.index(table.target)
        groups = numbered([(*row[:target], *row[target + 1 :]) for row in rows])
        strata = numbered([row[target] if table.metric == "accuracy" else "" for row in rows])
        rest, test = split_rows(groups, strata, HOLDOUT, seed, draw=0)
        train, val = split_rows(groups[rest], strata[rest], HOLDOUT, seed, draw=1)
        chosen = {"train": rest[train], "val": rest[val], "test": test}
        return header, {name: [rows[index] for index in indices.tolist()] for name, indices in chosen.items()}

    return split


def numbered(values: list[str] | list[tuple[str, ...]]) -> Tensor:
    """A number for each value (values,), the same for equal ones."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return torch.tensor([numbers[value] for value in values])


def of_papers(table: Table, tables: Path, seed: int) -> tuple[list[str], Parts]:
    """California's split in rtdl, num-embeddings, TabR and TabM, whatever the seed.

    ``train_test_split(range(n), test_size=0.2)`` of scikit-learn with random_state 0, and of the rest with 1.
    """
    header, *rows = read(tables / table.file)
    if table.file == CALIFORNIA:
        header, rows = features_of_papers(header, rows)

    def split(n: int, state: int) -> tuple[numpy.ndarray, numpy.ndarray]:
        order, k = numpy.random.RandomState(state).permutation(n), math.ceil(HOLDOUT * n)
        return order[k:], order[:k]

    rest, test = split(len(rows), 0)
    train, val = split(len(rest), 1)
    chosen = {"train": rest[train], "val": rest[val], "test": test}
    return header, {name: [rows[index] for index in indices] for name, indices in chosen.items()}


def features_of_papers(header: list[str], rows: Rows) -> tuple[list[str], Rows]:
    """California's columns as scikit-learn has them: per household, and the price in 100,000 $."""
    names = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"]
    made = []
    for row in rows:
        line = dict(zip(header, map(float, row), strict=True))
        households, population = line["households"], line["population"]
        per_household = [line[name] / households for name in ("total_rooms", "total_bedrooms")]
        features = [line["median_income"], line["housing_median_age"], *per_household]
        features += [population, population / households, line["latitude"], line["longitude"]]
        made.append([repr(value) for value in (*features, line["median_house_value"] / 100_000)])
    return [*names, "MedHouseVal"], made


def of_adult(table: Table, tables: Path, seed: int) -> tuple[list[str], Parts]:
    """Adult's official test; a fifth of the other rows validates, stratified with seed 1, whatever the seed."""
    rows = read(tables / table.file)
    test = [[*row[:-1], row[-1].rstrip(".")] for row in read(tables / "adult.test")[1:]]  # the first is a comment
    train, val = split_rows(torch.arange(len(rows)), numbered([row[-1] for row in rows]), HOLDOUT, seed=1, draw=0)
    parts = {"train": [rows[index] for index in train.tolist()], "val": [rows[index] for index in val.tolist()]}
    return list(ADULT), {**parts, "test": test}


CALIFORNIA = "california_housing.data.csv"
TABLES = {
    "california": Table(CALIFORNIA, "MedHouseVal", "rmse", of_papers),
    "california_ocean": Table("california_housing_ocean.csv", "median_house_value", "rmse", of_papers),
    "adult": Table("adult.data", "income", "accuracy", of_adult),
    "penguins": Table("penguins.csv", "species", "accuracy", by_seed()),
    "wine_red": Table("winequality-red.csv", "Quality", "rmse", by_seed()),
    "wine_white": Table("winequality-white.csv", "Quality", "rmse", by_seed()),
    "ames": Table("AmesHousing.csv", "SalePrice", "rmse", by_seed("Order", "PID")),
    "titanic": Table("titanic_kaggle_train.csv", "Survived", "accuracy", by_seed("PassengerId", "Name")),
}
