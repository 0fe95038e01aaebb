"""Random files wherever a command reads one: configs, runs' folders, inputs, data, and what is no file at all."""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.fuzz.cases import Case, Step, in_folder
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.values import TEXTS, Values

BASE = "lightning_logs/xor/base"
NASTY = (
    b"", b"\n", b"---\n---\n", b"task: xor", b"- task: xor", b"task", b"{}", b"[]", b"null", b"1", b"? {a: 1}\n: 2", b"1: 2",
    b"task: [xor]", b"task: null", b"task: 3", b"hidden: &a [*a]", b"&a {task: *a}", b"task: xor\ncallbacks: &a [*a]",
    b"lr: 2026-13-01", b"lr: 2026-02-30T25:61:61Z", b"lr: 1:2:3", b"seed: 0x", b"seed: !!int x", b"seed: !!float x",
    b"seed: !!python/object/apply:os.getpid []", b"seed: !!binary '!'", b"seed: !!set {1}", b"seed: !!omap [a: 1]",
    b"seed: !!timestamp x", b"<<: 3", b"<<: [1]", b"<<: {task: xor}", b"task: xor\ntask: log", b"\ttask: xor",
    b"\xef\xbb\xbftask: xor", "task: xor".encode("utf-16"), b"task: \xff\xfe", b"task: \x00", b"task: \x1b[2J", b"task: a\x9bb",
    "hidden: ".encode() + b"[" * 5_000, b"hidden: " + b"[" * 900 + b"]" * 900, b"{" * 3_000, b"a: " * 2_000, b"- " * 3_000,
    b"seed: " + b"9" * 5_000, b"lr: 1" + b"0" * 400, b"seed: " + b"1_" * 100 + b"1", b"a" * 100_000, b"%YAML 9.9\n---\ntask: xor",
    b"%x", b"task: 'xor", b'task: "\\ud800"', b'task: "\\0"', b'task: "\\x1b]0;t\\a"', b"task: xor # " + b"#" * 10_000,
    b"config: c.yaml", b"print_config: true", b"help: true", b"run: base", b"resume: last", b"default_root_dir: /dev/null/x",
    b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9)),
    b"hidden: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\nconv: " + b"[*a0, " * 30 + b"]" * 30,
)  # fmt: skip
NAMES = ("c.yaml", "a b", "ä.yaml", "a\nb", "\x1b[2Jx", "\udcff.yaml", "x" * 200, "-x", "--lr", "0,1", "last", "folder/c.yaml")


def make(random: Random, base: Path) -> Case:
    """A command that is given one broken file, and nothing else that is wrong."""
    return random.choice((config, config, config, run_folder, run_folder, reading, data))(random, base)


def config(random: Random, base: Path) -> Case:
    """A config that is anything but one."""
    name = random.choice(NAMES)
    step = content_of(name, some_yaml(random, base)) if random.random() < 0.7 else special(random, name)
    more = random.choice(((), (), ("--run", "base"), ("--task", "xor"), ("--max_epochs", "1")))
    return Case(random.choice(("fit", "fit", "fit", "by_hand")), (f"--config={name}", *more), (step,))


def run_folder(random: Random, base: Path) -> Case:
    """A run's folder in which one file is broken."""
    file = random.choice(("config.yaml", "config.yaml", "results.json", "checkpoints/last.ckpt", "checkpoints/best.ckpt"))
    path = f"{BASE}/{file}"
    kind = random.random()
    if kind < 0.4 and file == "config.yaml":
        step = content_of(path, some_yaml(random, base))
    elif kind < 0.6:
        step = content_of(path, mutated_bytes(random, (base / path).read_bytes()))
    else:
        step = special(random, path)
    fit = ("fit", random.choice((("--run=base",), ("--resume=last",), ("--resume", BASE), ("--run=base", "--task=xor"))))
    command, words = random.choice((fit, fit, ("test", ("--ckpt", BASE)), ("predict", ("--ckpt", BASE, "0,1"))))
    longer = ("--max_epochs=3",) if command == "fit" and random.random() < 0.6 else ()
    return Case(command, (*words, *longer), (step,))


def reading(random: Random, base: Path) -> Case:
    """A checkpoint or inputs that are anything."""
    name = random.choice(NAMES)
    content = random.choice((some_yaml(random, base), mutated_bytes(random, (base / BASE / "checkpoints/best.ckpt").read_bytes())))
    step = content_of(name, content) if random.random() < 0.5 else special(random, name)
    digits = ("--ckpt", "lightning_logs/digits/digits")
    text = random.choice(TEXTS).replace("\0", "")
    forms: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("predict", (f"--ckpt={name}", "0,1")), ("test", (f"--ckpt={name}",)), ("load", (name,)),
        ("export", (f"--ckpt={name}", "--format=pt2")), ("fit", (f"--resume={name}",)), ("predict", (*digits, "--", name)),
        ("predict", (*digits, "--format=json", "--", name, text)), ("predict", ("--ckpt", BASE, "--", text, name, "0,1")),
        ("test", ("--ckpt", BASE, f"--images={name}")), ("predict", (f"--ckpt={text}", "--", name)), ("test", (f"--ckpt={text}",)),
        ("export", ("--ckpt", BASE, "--format=pt2", f"--output={name}/x.pt2")), ("load", (text,)), ("fit", (f"--resume={text}",)),
    )  # fmt: skip
    command, words = random.choice(forms)
    return Case(command, words, (step,))


def data(random: Random, base: Path) -> Case:
    """A folder of data, or of runs, that is anything."""
    name = random.choice(NAMES)
    inside = random.choice(("", "/MNIST", "/MNIST/raw", "/MNIST/raw/train-images-idx3-ubyte", "/MNIST/raw/t10k-labels-idx1-ubyte.gz"))
    step = special(random, name + inside)
    if random.random() < 0.3:
        return Case("fit", ("--task=xor", "--max_epochs=1", f"--default_root_dir={name}"), (step,))
    if random.random() < 0.2:
        return Case("test", ("--ckpt", BASE, f"--data_dir={name}"), (step,))
    return Case("fit", ("--task=mnist", "--max_epochs=1", "--limit_train_batches=1", f"--data_dir={name}"), (step,))


def content_of(name: str, content: bytes) -> Step:
    """A file with that content."""
    return Step(prepare=lambda: in_folder(replaced(name)).write_bytes(content), about=f"{name!a} holds {content[:400]!r}")


def some_yaml(random: Random, base: Path) -> bytes:
    """Something like a config."""
    real = (base / BASE / "config.yaml").read_bytes()
    kind, values = random.random(), Values(random, 0.5)
    if kind < 0.35:
        return random.choice(NASTY)
    if kind < 0.5:
        return real + random.choice(NASTY)
    if kind < 0.65:
        return mutated_bytes(random, real)
    settings: Any = yaml.safe_load(real)
    for name in random.sample(sorted(settings), random.randint(1, 3)):
        if random.random() < 0.2:
            del settings[name]
        else:
            settings[name if random.random() < 0.9 else values.text()] = values.anything()
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def special(random: Random, name: str) -> Step:
    """A path at which there is no ordinary file."""
    kinds: dict[str, Callable[[Path], object]] = {
        "nothing": lambda path: None, "a folder": Path.mkdir, "a FIFO": os.mkfifo, "a socket": make_socket,
        "a link to itself": lambda path: path.symlink_to(path.name), "a link to nothing": lambda path: path.symlink_to("nothing"),
        "without rights": lambda path: (path.write_text("task: xor"), path.chmod(0)), "sparse and huge": make_huge,
        "a deep folder": lambda path: (path / "/".join("d" * 200)).mkdir(parents=True), "a link to here": lambda path: path.symlink_to("."),
        **{f"a link to /dev/{device}": partial(link, f"/dev/{device}") for device in ("zero", "null", "full", "urandom", "tty", "stdin")},
        **{f"a link to {place}": partial(link, place) for place in ("/proc/self/mem", "/proc/self/fd")},
    }  # fmt: skip
    kind = random.choice(sorted(kinds))
    return Step(prepare=lambda: kinds[kind](in_folder(replaced(name))), about=f"{name!a} is {kind}")


def replaced(name: str) -> Path:
    """The path, with nothing there any more."""
    path = Path(name)
    path.unlink(missing_ok=True)
    return path


def link(target: str, path: Path) -> None:
    """Make a symbolic link."""
    path.symlink_to(target)


def make_socket(path: Path) -> None:
    """Make a socket that nobody listens at."""
    if len(str(path).encode(errors="surrogateescape")) < 100:
        socket.socket(socket.AF_UNIX).bind(os.fsencode(path))


def make_huge(path: Path) -> None:
    """Make a file of 20 GB that takes no room."""
    path.touch()
    os.truncate(path, 20 * 10**9)
