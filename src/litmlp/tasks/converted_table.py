"""A table that is larger than memory, converted to files: found in the cache, or written there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from litmlp.cache import cache_folder, found_or_made, name_for
from litmlp.errors import Failure
from litmlp.inference.sources import files_of
from litmlp.model.columns import TableForm
from litmlp.model.spec import Settings
from litmlp.model.statistics import Statistics, statistics_of
from litmlp.tasks.analysis import Question
from litmlp.tasks.findings import Findings
from litmlp.tasks.stored import StoredSplit, splits_from
from litmlp.tasks.table_conversion import Conversion


class ConvertedTable(NamedTuple):
    """A table in the cache.

    Attributes:
        folder: of the cache.
        splits: ``train``, ``val`` and ``test``.
        table: the columns.
        classes: of the target; None for a regression.
        seen: which slots a training row fills, (slots,) of 0 and 1.
        target_mean: of a regression's training targets, (1,).
        target_std: likewise.
        findings: for people.
    """

    folder: Path
    splits: dict[str, StoredSplit]
    table: TableForm
    classes: tuple[str, ...] | None
    seen: Tensor
    target_mean: Tensor | None
    target_std: Tensor | None
    findings: Findings

    def statistics(self, settings: Settings) -> Statistics:
        """What a network of these settings standardises and encodes by.

        Targets and categories are counted exactly. Quantiles and means of numbers are those of a random window of rows:
        the std of the rank of a quantile among n of them is at most 0.5 / sqrt(n), 0.1 % of the rows for 2^18.
        """
        found = statistics_of(settings, *self.splits["train"].head())
        return found._replace(target_mean=self.target_mean, target_std=self.target_std, seen=self.seen)


def converted_table(
    question: Question, paths: Mapping[str, Sequence[str]], seed: int, memory: int, data_dir: str
) -> ConvertedTable:
    """The table, converted now if it isn't in the cache.

    Args:
        question: what is asked of it.
        paths: the files of each split, or patterns of them; none for a split that is split off.
        seed: of the split and the shuffle.
        memory: bytes that samples may take.
        data_dir: that the cache lies in.

    Raises:
        UsageError: if a flag doesn't fit the table.
        Failure: if the files can't be learned from, or the converted ones can't be written.
    """
    files = {name: files_of(patterns) for name, patterns in paths.items()}
    settings = {"question": question._asdict(), "seed": seed, "memory": memory}
    counts = {name: len(own) for name, own in files.items()}
    every = [path for own in files.values() for path in own]
    folder = cache_folder(data_dir) / name_for(every, {**settings, "files": counts})

    def make() -> dict[str, Any]:
        before = name_for(every, {})
        header = Conversion(question, paths, seed, memory, folder).header()
        if name_for(every, {}) != before:
            names = ", ".join(pattern for own in paths.values() for pattern in own)
            raise Failure(f"{names}: changed while it was read; start again")
        return header

    return opened(folder, found_or_made(folder, make))


def opened(folder: Path, header: dict[str, Any]) -> ConvertedTable:
    """The converted table that a header describes.

    Raises:
        Failure: if a file of it is missing or damaged.
    """
    mean, std = (None if header[name] is None else torch.tensor(header[name]) for name in ("target_mean", "target_std"))
    findings = Findings(*header["findings"])
    stored = f"stored           larger than --memory: read from {folder} as they are needed"
    return ConvertedTable(
        folder,
        splits_from(folder, header["splits"]),
        TableForm.from_plain(header["table"]),
        None if header["classes"] is None else tuple(header["classes"]),
        torch.tensor(header["seen"]),
        mean,
        std,
        findings._replace(notes=[stored, *findings.notes]),
    )
