"""Random tables: well-formed ones with strange values, and damaged files."""

import gzip
from pathlib import Path
from random import Random

from tests.fuzz.cases import Case
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.paths import holding, special

VALUES = (
    "", " ", "0", "1", "-1", "2.5", "1e5", "1e400", "-3.4e38", "nan", "inf", "NA", "?", "007", "1,5", "1.234,5",
    "1_000", "0x1F", "true", "FALSE", "a", "b", "ä", "\x1b[31m", "\u202e", "=cmd|' /C calc'!A0", "x" * 3000,
    "2024-02-29", "2024-02-30", "29.02.2024", "2024-02-29 12:30:00", "9999999999-01-01", "'", '"', "\\", "%", "\ufeff",
)  # fmt: skip
NAMES = ("a", "b", "id", "y", "Y", "a b", "ä", "", "a", "=1+1", "\x1b[2J", "column0", "NA", "1", "x" * 300)
DELIMITERS = (",", ",", ",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-be")
KINDS = ("number", "category", "date", "ignore", "%Y", "%d.%m.%Y", "%Q%", "", "x")
FIT = "--task=table --max_epochs=1 --limit_train_batches=1 --hidden=[4] --bins=2 --embedding=2 --members=2"


def make(random: Random, base: Path) -> Case:
    """A fit on a table that may be anything."""
    is_large = random.random() < 0.3
    content, header = table(random, is_large)
    if random.random() < 0.15:
        content = mutated_bytes(random, content)
    name = random.choice((*["t.csv"] * 12, "t.parquet", "t.csv.gz", "a b.csv", "t"))
    if name == "t.csv.gz" and random.random() < 0.8:
        content = gzip.compress(content, mtime=0)
    step = holding(name, content) if random.random() < 0.95 else special(random, name)
    words = [f"--data={name}", f"--target={random.choice(header)}"]
    if random.random() < 0.3:
        words.append(f"--columns.{random.choice(header) or 'a'}={random.choice(KINDS)}")
    for flag in ("group_by", "time_by", "test_data", "validation_data"):
        if random.random() < 0.1:
            words.append(f"--{flag}={name if flag.endswith('data') else random.choice(header)}")
    if random.random() < 0.1:
        words.append(f"--missing=[{random.choice(('a', '0', ''))}]")
    if is_large:
        words.append("--memory=1MB")
    return Case("fit", (*FIT.split(), *words), (step,))


def table(random: Random, is_large: bool) -> tuple[bytes, list[str]]:
    """A table's file, and the names in its header; a large one doesn't fit into 1 MB."""
    width = random.randint(2 if is_large else 1, 6)
    rows = random.choice((27_000 // width, 30_000)) if is_large else random.choice((0, 1, 3, 12, *[40] * 8, 200))
    header = [random.choice(NAMES) if random.random() < 0.1 else "abcdy"[min(4, place)] for place in range(width)]
    kinds = [random.choice(([] if is_large else [values_of]) + [numbers] * 4 + [words] * 4) for _ in header]
    delimiter = random.choice(DELIMITERS)
    rate = random.choice((0, 1e-5, 1e-4)) if is_large else 0.01  # of strange values
    lines = [header, *([kind(random, row, rate) for kind in kinds] for row in range(rows))]
    quote = random.random() < 0.8
    text = "\n".join(delimiter.join(quoted(value, delimiter) if quote else value for value in line) for line in lines)
    encoding = "utf-8" if is_large and random.random() < 0.8 else random.choice(ENCODINGS)
    return (text + "\n").encode(encoding, "replace"), header


def values_of(random: Random, row: int, rate: float) -> str:
    """Any value."""
    return random.choice(VALUES)


def numbers(random: Random, row: int, rate: float) -> str:
    """A number, or rarely something else."""
    return random.choice(VALUES) if random.random() < rate else str(random.choice((row, random.random(), row % 3)))


def words(random: Random, row: int, rate: float) -> str:
    """One of a few words, or rarely something else."""
    return random.choice(VALUES) if random.random() < rate else random.choice(("u", "v", "w"))


def quoted(value: str, delimiter: str) -> str:
    """A value in quotes, where it needs them."""
    needs = any(mark in value for mark in (delimiter, '"', "\n"))
    return '"' + value.replace('"', '""') + '"' if needs else value
