"""Random files wherever a command reads one: configs, runs' folders, inputs, data, and what is no file at all."""

from pathlib import Path
from random import Random

from tests.fuzz.cases import Case
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.paths import NAMES, holding, special
from tests.fuzz.values import TEXTS
from tests.fuzz.yamls import some_yaml

BASE = "lightning_logs/xor/base"
CONFIG = f"{BASE}/config.yaml"
BEST = f"{BASE}/checkpoints/best.ckpt"
IN_A_RUN = (CONFIG, CONFIG, f"{BASE}/results.json", f"{BASE}/checkpoints/last.ckpt", BEST)
RAW = "MNIST/raw"
IN_DATA = (
    "", "cache", "cat", "cat/0.png", "MNIST", RAW, f"{RAW}/train-images-idx3-ubyte", f"{RAW}/t10k-labels-idx1-ubyte.gz",
)  # fmt: skip
# Commands that open a run, and those that are given the path N beside the text T.
OPENING = (
    ("fit", "--run=base"), ("fit", "--run=base --max_epochs=3"), ("fit", "--resume=last --max_epochs=3"),
    ("fit", f"--resume={BASE}"), ("fit", "--run=base --task=xor --max_epochs=3"), ("test", f"--ckpt {BASE}"),
    ("predict", f"--ckpt {BASE} 0,1"),
)  # fmt: skip
DIGITS = "--ckpt lightning_logs/digits/digits"
ROWS = "--ckpt lightning_logs/table/rows"
NAMING = (
    ("predict", "--ckpt=N 0,1"), ("test", "--ckpt=N"), ("load", "N"), ("export", "--format=pt2 --ckpt=N"),
    ("fit", "--resume=N"), ("predict", f"{DIGITS} -- N"), ("predict", f"{DIGITS} --format=json -- N T"),
    ("predict", f"--ckpt {BASE} -- T N 0,1"), ("predict", "--ckpt=T -- N"), ("test", f"--ckpt {BASE} --images=N"),
    ("predict", f"{ROWS} -- N"), ("predict", f"{ROWS} --format=json -- N rows.csv"), ("test", f"{ROWS} --test_data=N"),
    ("test", f"{ROWS} --data=N"), ("predict", f"{ROWS} --output=N -- rows.csv"),
    ("test", "--ckpt=T"), ("load", "T"), ("fit", "--resume=T"),
    ("export", f"--format=pt2 --ckpt {BASE} --output=N/x.pt2"),
    ("export", f"--format=pt2 --ckpt {BASE} --default_root_dir=N"),
)  # fmt: skip
GIVING_DATA = (
    ("fit", "--task=mnist --max_epochs=1 --limit_train_batches=1 --data_dir=N"),
    ("fit", "--task=xor --max_epochs=1 --default_root_dir=N"),
    ("test", f"--ckpt {BASE} --data_dir=N"),
    ("fit", "--task=table --max_epochs=1 --limit_train_batches=1 --target=y --data=N"),
    ("fit", "--task=table --max_epochs=1 --limit_train_batches=1 --target=y --data=many.csv --memory=1MB --data_dir=N"),
    ("fit", "--task=image_folder --max_epochs=1 --limit_train_batches=1 --hidden=[4] --image_size=8 --data=N"),
    ("fit", "--task=image_folder --max_epochs=1 --limit_train_batches=1 --hidden=[4] --data=photos --data_dir=N"),
    ("cache", "--data_dir=N"),
    ("cache", "--data_dir=N --delete=all"),
)


def make(random: Random, base: Path) -> Case:
    """A command that is given one broken file, and nothing else that is wrong."""
    return random.choice((config, config, config, run_folder, run_folder, reading, data))(random, base)


def config(random: Random, base: Path) -> Case:
    """A config that is anything but one."""
    name = random.choice(NAMES)
    step = holding(name, some_yaml(random, base / CONFIG)) if random.random() < 0.7 else special(random, name)
    more = random.choice(((), (), ("--run", "base"), ("--task", "xor"), ("--max_epochs", "1")))
    return Case(random.choice(("fit", "fit", "fit", "by_hand")), (f"--config={name}", *more), (step,))


def run_folder(random: Random, base: Path) -> Case:
    """A run's folder in which one file is broken."""
    path, kind = random.choice(IN_A_RUN), random.random()
    if kind < 0.4 and path == CONFIG:
        step = holding(path, some_yaml(random, base / CONFIG))
    elif kind < 0.6:
        step = holding(path, mutated_bytes(random, (base / path).read_bytes()))
    else:
        step = special(random, path)
    command, words = random.choice(OPENING)
    return Case(command, tuple(words.split()), (step,))


def reading(random: Random, base: Path) -> Case:
    """A checkpoint, or inputs, that can be anything."""
    name, text = random.choice(NAMES), random.choice(TEXTS).replace("\0", "")
    kinds = (some_yaml(random, base / CONFIG), mutated_bytes(random, (base / BEST).read_bytes()))
    step = holding(name, random.choice(kinds)) if random.random() < 0.5 else special(random, name)
    command, words = random.choice(NAMING)
    return Case(command, filled_in(words, name, text), (step,))


def data(random: Random, base: Path) -> Case:
    """A folder of data, or of runs, that can be anything."""
    name = random.choice(NAMES)
    step = special(random, str(Path(name, random.choice(IN_DATA))))
    command, words = random.choice(GIVING_DATA)
    return Case(command, filled_in(words, name, ""), (step,))


def filled_in(words: str, name: str, text: str) -> tuple[str, ...]:
    """The words of a command line, with a path for N and a text for T."""
    filling = {"N": name, "T": text}
    parts = (word.rpartition("=") for word in words.split())
    return tuple(f"{flag}{sign}{filling.get(value, value.replace('N/', f'{name}/'))}" for flag, sign, value in parts)
