"""What data larger than memory cost: ``python -m benchmarks.large --folder ROOMY``; a row for each of ``--only``.

``memory`` converts and trains on many rows in a control group of 2 GB (Linux, as root) and watches the memory that is
no file's. ``conversion`` compares with DuckDB's scan of the same files, and with its giving all values to NumPy.
``epoch`` compares with an epoch in memory, and ``scaling`` ten times the rows. ``accuracy`` compares the order of
windows with a full shuffle of the same rows, which came sorted: five seeds each of MNIST in 30 files and of log(x + y).
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import torch

from benchmarks.flags import some_of
from litmlp.commands.by_hand import AUTOCAST, train
from litmlp.settings.build import make_model
from litmlp.settings.command_line import Command, read_command
from litmlp.tasks.loader import BatchLoader
from litmlp.tasks.mnist import MNIST
from litmlp.tasks.table import Table
from litmlp.training.metrics import metrics_for

FIT = [sys.executable, str(Path(__file__).parents[1] / "scripts" / "fit.py"), "--task", "table", "--target", "y"]
SMALL = ["--hidden", "[64]", "--bins", "0", "--members", "1", "--batch_size", "4096", "--accelerator", "cpu"]
LIMIT = 2_000_000_000  # bytes
GROUP = Path("/sys/fs/cgroup/memory/litmlp-benchmark")
FILE_ROWS = 10_000_000
DELIVERED = 2**19  # rows that DuckDB gives at a time
MILLION = 1_000_000


def floats(folder: Path, rows: int) -> Path:
    """A folder of Parquet files with 15 columns of random numbers and a target, made if it isn't there."""
    target = folder / f"floats-{rows}"
    if not target.is_dir():
        target.mkdir(parents=True)
        columns = ", ".join(f"(random() * 2 - 1)::FLOAT AS x{place}" for place in range(15))
        for start in range(0, rows, FILE_ROWS):
            source = f"SELECT {columns} FROM range({min(FILE_ROWS, rows - start)})"  # noqa: S608
            query = f"SELECT *, (x0 * x1 + sin(3 * x2) + 0.1 * x3)::FLOAT AS y FROM ({source})"  # noqa: S608
            duckdb.execute(f"COPY ({query}) TO '{target}/{start:012}.parquet' (COMPRESSION uncompressed)")
    return target


def as_csv(folder: Path, rows: int) -> Path:
    """A CSV file of the same numbers, made if it isn't there."""
    target = folder / f"floats-{rows}.csv"
    if not target.is_file():
        duckdb.execute(f"COPY (SELECT * FROM '{floats(folder, rows)}/*.parquet') TO '{target}'")  # noqa: S608
    return target


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def scan(files: str) -> None:
    """DuckDB reads all values, and keeps nothing but sums."""
    sums = ", ".join(f"sum({name})" for name in [*(f"x{place}" for place in range(15)), "y"])
    duckdb.execute(f"SELECT {sums} FROM '{files}'").fetchall()  # noqa: S608


def deliver(files: str) -> None:
    """DuckDB gives all values to Python as NumPy's arrays, some rows after the other."""
    if files.endswith(".csv"):
        duckdb.execute(f"SELECT * FROM '{files}'").fetchnumpy()  # noqa: S608
        return
    for path in sorted(Path(files).parent.glob("*.parquet")):
        part = f"read_parquet('{path}', file_row_number=true)"
        for start in range(0, FILE_ROWS, DELIVERED):
            chosen = f"file_row_number >= {start} AND file_row_number < {start + DELIVERED}"
            duckdb.execute(f"SELECT * FROM {part} WHERE {chosen}").fetchnumpy()  # noqa: S608


def memory(folder: Path, rows: int) -> str:
    """Converts and trains within 2 GB."""
    files = floats(folder, rows)
    GROUP.mkdir()
    (GROUP / "memory.limit_in_bytes").write_text(str(LIMIT))
    command = [*FIT, *SMALL, "--data", f"{files}/*.parquet", "--max_epochs", "1", "--data_dir", str(folder / "within")]
    enter = f'echo $$ > {GROUP}/cgroup.procs; exec "$@"'
    output = (folder / "within.log").open("w")
    fit = subprocess.Popen(["bash", "-c", enter, "bash", *command], cwd=folder, stdout=output, stderr=output)  # noqa: S603, S607
    most = 0
    while fit.poll() is None:
        found = re.search(r"total_rss (\d+)", (GROUP / "memory.stat").read_text())
        most = max(most, int(found.group(1)) if found else 0)
        time.sleep(0.2)
    GROUP.rmdir()
    lines = (folder / "within.log").read_text().splitlines()
    return (
        f"{rows:,} rows within {LIMIT / 1e9:.0f} GB: exit {fit.returncode}, at most {most / 1e6:.0f} MB; {lines[-6:]}"
    )


def conversion(folder: Path, rows: int) -> str:
    """The conversion of Parquet and of CSV, beside what the reading library takes by itself."""
    sources = f"{floats(folder, rows)}/*.parquet", str(as_csv(folder, rows))
    return "\n".join(conversion_of(files, folder, rows) for files in sources)


def conversion_of(files: str, folder: Path, rows: int) -> str:
    """Medians of alternating runs."""
    converted = folder / "converted"
    times: dict[str, list[float]] = {"scan": [], "to NumPy": [], "conversion": []}
    duckdb.execute("SET enable_progress_bar = false")
    for seed in range(5):
        shutil.rmtree(converted, ignore_errors=True)
        table = Table(files, "y", memory=f"{rows * 100}B", seed=seed, data_dir=str(converted))
        works: list[Callable[[], object]] = [partial(scan, files), partial(deliver, files), table.prepare_data]
        for found, work in zip(times.values(), works, strict=True):
            found.append(seconds(work))
    shutil.rmtree(converted)
    scanned, delivered, done = map(statistics.median, times.values())
    return (
        f"{rows:,} rows of {files.rpartition('.')[2]}: scan {scanned:.2f} s, to NumPy {delivered:.2f} s, conversion"
        f" {done:.2f} s: {scanned / done:.2f} of the scan's speed, {delivered / done:.2f} of that to NumPy"
    )


def epoch_seconds(folder: Path, rows: int, limit: str) -> float:
    """How long the second epoch takes."""
    command = [*FIT, *SMALL, "--data", f"{floats(folder, rows)}/*.parquet", "--max_epochs", "2", "--memory", limit]
    command += ["--data_dir", str(folder / "epochs"), "--default_root_dir", str(folder)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout  # noqa: S603
    found = re.search(r"^epoch 2/2 .* ([\d.]+) s$", printed, re.MULTILINE)
    assert found is not None
    return float(found.group(1))


def epoch(folder: Path, rows: int) -> str:
    """An epoch from files, beside one in memory."""
    pairs = [(epoch_seconds(folder, rows, "50MB"), epoch_seconds(folder, rows, "1TB")) for _ in range(3)]
    stored, in_memory = (statistics.median(times) for times in zip(*pairs, strict=True))
    return (
        f"an epoch of {rows:,} rows: {stored:.1f} s from files, {in_memory:.1f} s in memory: {stored / in_memory:.2f}"
    )


def scaling(folder: Path, rows: int) -> str:
    """An epoch of ten times the rows."""
    pairs = [(epoch_seconds(folder, rows, "50MB"), epoch_seconds(folder, rows // 10, "50MB")) for _ in range(3)]
    many, few = (statistics.median(times) for times in zip(*pairs, strict=True))
    return f"an epoch of {rows:,} rows: {many:.1f} s, of a tenth: {few:.2f} s: {many / few:.2f}"


def accuracy(folder: Path, rows: int) -> str:
    """The validation of sorted sources, by windows and by a full shuffle."""
    del rows
    sources = {"mnist": sorted_mnist(folder), "log": sorted_log(folder)}
    flags = {"mnist": ["--max_epochs=3", "--hidden=[256]"], "log": ["--max_epochs=1", "--hidden=[64]"]}
    same = ["--task=table", "--target=y", "--memory=50MB", "--bins=0", "--members=1", "--batch_size=256"]
    lines = []
    for name, source in sources.items():
        results: dict[str, list[float]] = {"windows": [], "full shuffle": []}
        for seed in range(5):
            own = [f"--data={source}", f"--data_dir={folder}/accuracy", f"--seed={seed}"]
            command = read_command([*same, *own, *flags[name], "--accelerator=cpu", "--precision=32-true"])
            task = Table(**command.arguments(Table))
            task.prepare_data()
            for order, found in results.items():
                found.append(validated(command, task, order))
        for order, found in results.items():
            lines.append(f"{name}, {order}: {statistics.mean(found):.4f} ± {statistics.stdev(found):.4f}")
    return "; ".join(lines)


def validated(command: Command, task: Table, order: str) -> float:
    """The accuracy, or the root of the mean squared error, after training in an order."""
    model = make_model(command, task)
    model.network.standardise(task.statistics(model.settings))
    loader, few = task.train_dataloader(), task.val_dataloader()
    if order == "full shuffle":
        samples, targets = task.split("train")
        loader = BatchLoader(samples.clone(), targets.clone(), task.batch_size, task.seed)
    train(model, loader, few, task.seed, command.settings.max_epochs, AUTOCAST[command.settings.precision])
    metrics = metrics_for(model.network)
    with torch.no_grad():
        for batch in few:
            logits = model.network.logits(batch.samples)
            metrics.collect(model.loss(logits, batch.targets), logits, batch.targets)
    found = metrics.compute_and_reset()
    return float(found["accuracy" if "accuracy" in found else "rmse"])


def sorted_mnist(folder: Path) -> str:
    """MNIST as a table, sorted by its classes, in 30 files."""
    target = folder / "mnist"
    if not target.is_dir():
        target.mkdir(parents=True)
        samples, targets = MNIST(data_dir=os.environ.get("MNIST", "data")).load(train=True)
        order = targets.argsort(stable=True)
        for number, part in enumerate(order.chunk(30)):
            columns = {f"p{place}": pixels.numpy() for place, pixels in enumerate(samples[part].flatten(1).T)}
            columns["y"] = targets[part].numpy()
            duckdb.execute(f"COPY (SELECT * FROM columns) TO '{target}/{number:02}.parquet'")  # noqa: S608
    return f"{target}/*.parquet"


def sorted_log(folder: Path) -> str:
    """Five million points of log(x + y), sorted by x."""
    target = folder / "log.parquet"
    if not target.is_file():
        points = f"SELECT random() AS x, random() AS z FROM range({5 * MILLION})"  # noqa: S608
        query = f"SELECT x::FLOAT AS x, z::FLOAT AS z, ln(x + z + 0.01)::FLOAT AS y FROM ({points}) ORDER BY x"  # noqa: S608
        duckdb.execute(f"COPY ({query}) TO '{target}'")
    return str(target)


ROWS = {"memory": memory, "conversion": conversion, "epoch": epoch, "scaling": scaling, "accuracy": accuracy}


def main(argv: list[str]) -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for data, of which the largest take 20 GB")
    parser.add_argument("--only", type=some_of(ROWS), default=list(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--rows", type=int, default=10 * MILLION, help="of the tables; ten times as many for memory")
    options = parser.parse_args(argv)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for name in options.only:
        print(ROWS[name](options.folder.absolute(), options.rows * (10 if name == "memory" else 1)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
