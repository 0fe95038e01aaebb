"""Random flags of the commands that use a trained model, and of ``compare``, ``search`` and ``cache``."""

from pathlib import Path
from random import Random

from tests.fuzz.cases import Case, Step
from tests.fuzz.values import TEXTS, Values

RUN = "lightning_logs/xor/base"
CKPTS = (
    RUN, f"{RUN}/checkpoints/best.ckpt", f"{RUN}/checkpoints/last.ckpt", "lightning_logs/digits/digits", "last",
    "lightning_logs/log_value/value", "lightning_logs/table/rows", "lightning_logs/table/rows", "lightning_logs",
    f"{RUN}/config.yaml", "/dev/null", "/proc/self/mem", "here",
)  # fmt: skip
PLACES = ("here", ".", "x/y", "lightning_logs", "/dev/full", "/dev/null/x", f"{RUN}/config.yaml")
DATA = ("rows.csv", "photos", "nowhere.csv", *PLACES)
NAMES = ("mine", "CON", "../x", "a b", "")
COUNTS = ("1", "0", "-1", "2.5", "1e400", "nan", "x")
INPUTS = (
    "0,1",
    "1,1",
    "0.3,0.9",
    "1,2,3",
    ",",
    "1e400,0",
    "nan,1",
    "-1,0",
    "lightning_logs",
    RUN,
    "nowhere.png",
    "rows.csv",
    "photos",
    "-",
    '{"number": 1, "word": "u", "day": null}',
    '{"number": "x", "word": 1, "day": "2024-02-30"}',
    '{"number":',
    "/dev/zero",
)
# The values of each flag that are plausible; others are drawn as well.
FLAGS: dict[str, dict[str, tuple[str, ...]]] = {
    "predict": {
        "ckpt": CKPTS, "format": ("text", "json", "csv", "parquet", "xml"), "default_root_dir": PLACES,
        "output": ("answers.csv", "answers.json", "answers.parquet", "answers.x", "a/b.csv", "rows.csv", *PLACES),
    },
    "test": {
        "ckpt": CKPTS, "data_dir": PLACES, "data": DATA, "test_data": DATA, "images": PLACES,
        "default_root_dir": PLACES,
        "task": ("xor", "digits", "nope", "x.py:X", "litmlp.tasks.xor:XOR", "os:getpid"),
    },
    "export": {"ckpt": CKPTS, "format": ("pt2", "onnx", "x"), "output": ("x.pt2", *PLACES), "default_root_dir": PLACES},
    "serve": {
        "ckpt": CKPTS, "host": ("127.0.0.1", "::1", "256.0.0.1", "x y", ""), "default_root_dir": PLACES,
        "port": ("0", "0", "0", "-1", "65536", "x", "1e3", "0.5", "99999999999999999999"),
    },
    "compare": {
        "vary": ("lr", "hidden", "batch_size", "seed", "task", "nope", "augment", "callbacks", "--lr"),
        "seeds": ("[0]", "[0,1]", "0", "[]", "[0,0]", "[-1]", "[x]", "{a: 1}", "[1.5]"),
        "name": NAMES, "out": PLACES, "default_root_dir": PLACES,
    },
    "search": {
        "space": ("{lr: [0.1, 1]}", "{lr: [0.1, 1, log]}", "{lr: [1]}", "{nope: [1, 2]}", "{}", "{lr: {a: 1}}", "[lr]"),
        "trials": COUNTS, "minutes": COUNTS, "heartbeat": COUNTS, "jobs": COUNTS, "seeds": ("[0]", "[]", "[-1]", "x"),
        "name": NAMES, "out": PLACES, "default_root_dir": PLACES,
        "storage": ("postgresql://127.0.0.1:9/x", "postgresql://", "sqlite:///x.db", "mysql://x", "x"),
    },
    "cache": {"data_dir": ("data", *PLACES), "delete": ("all", "x", "../x", ".", "")},
}  # fmt: skip
VARIED = (
    "[0.1]",
    "[0.1, 0.1]",
    "{a: [4], b: [8]}",
    "[]",
    "{}",
    "[[1], x]",
    "0.1",
    "[null]",
    "{1: 2, '1': 3}",
    "[.nan]",
)
# Of what makes fits one flag is always wrong: they would be processes of their own.
NEVER_FITTED = ("--task", "xor", "--batch_size", "0")
COMMANDS = (*["predict"] * 4, *["test"] * 3, "export", "serve", "compare", "compare", "search", "search", "cache")


def make(random: Random, base: Path) -> Case:
    """A command with what it needs, in most cases, and some more flags."""
    command = random.choice(COMMANDS)
    values = Values(random, wildness=random.choice((0.0, 0.05, 0.3)))
    known = FLAGS[command]
    names: list[str] = [name for name in ("ckpt", "vary") if name in known and random.random() < 0.95]
    names += [random.choice(sorted(known)) for _ in range(random.choice((0, 0, 1, 1, 2)))]
    steps = [flag(random, values, name, known) for name in names]
    if command == "predict" and random.random() < 0.95:
        inputs = [random.choice((*INPUTS, *INPUTS, *TEXTS)).replace("\0", "") for _ in range(random.choice((1, 1, 3)))]
        steps.append(Step(("--", *inputs) if random.random() < 0.8 else tuple(inputs)))
    elif random.random() < values.wildness:
        steps.append(Step((text(random, values),)))
    words = NEVER_FITTED if command in ("compare", "search") else ()
    return Case(command, words, tuple(steps), random.choice(("utf-8",) * 4 + ("ascii", "cp1252")))


def flag(random: Random, values: Values, name: str, known: dict[str, tuple[str, ...]]) -> Step:
    """A flag with a value, or something that looks like one."""
    if random.random() < values.wildness / 2:
        return Step(random.choice(((f"--{name}",), (f"--{name}=",), (f"--{name[:-1]}", "x"), (f"--{name}", "x", "y"))))
    value = text(random, values) if random.random() < values.wildness + 0.1 else random.choice(known[name])
    if name == "vary":
        return Step(("--vary", value, random.choice((*VARIED, text(random, values)))))
    return Step((f"--{name}={value}",) if value.startswith("-") or random.random() < 0.5 else (f"--{name}", value))


def text(random: Random, values: Values) -> str:
    """Some text that can be on a command line."""
    return values.written(values.text())
