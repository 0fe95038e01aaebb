"""Random files that are something like a config."""

from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.values import Values

NASTY = (
    "", "\n", "---\n---\n", "task: xor", "- task: xor", "task", "{}", "[]", "null", "1", "? {a: 1}\n: 2", "1: 2",
    "\ttask: xor", "task: [xor]", "task: null", "task: 3", "hidden: &a [*a]", "&a {task: *a}",
    "task: xor\ncallbacks: &a [*a]", "hidden: [", "lr: 2026-13-01", "lr: 2026-02-30T25:61:61Z", "lr: 1:2:3", "seed: 0x",
    "seed: !!int x", "seed: !!float x", "seed: !!set {1}", "seed: !!python/object/apply:os.getpid []",
    "seed: !!binary '!'", "seed: !!omap [a: 1]", "seed: !!timestamp x", "<<: 3", "<<: [1]", "<<: {task: xor}",
    "task: xor\ntask: log", "\ufefftask: xor", "task: \x00", "task: \x1b[2J", "task: a\x9bb", "hidden: " + "[" * 5_000,
    "hidden: " + "[" * 900 + "]" * 900, "{" * 3_000, "a: " * 2_000, "- " * 3_000, "a" * 100_000, "seed: " + "9" * 5_000,
    "lr: 1" + "0" * 400, "seed: " + "1_" * 100 + "1", "%YAML 9.9\n---\ntask: xor", "%x", "task: 'xor",
    'task: "\\ud800"', 'task: "\\0"', 'task: "\\x1b]0;t\\a"', "task: xor # " + "#" * 10_000, "config: c.yaml",
    "help: true", "print_config: true", "run: base", "resume: last", "default_root_dir: /dev/null/x",
    "callbacks: [{class_path: x}]", "hidden: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\nconv: " + "[*a, " * 30 + "]" * 30,
    "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 20)),
)  # fmt: skip


def some_yaml(random: Random, config: Path) -> bytes:
    """Something like a config: one with other values, a damaged one, or what is hard to parse."""
    real, kind, values = config.read_bytes(), random.random(), Values(random, 0.5)
    encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1"))
    if kind < 0.35:
        return random.choice(NASTY).encode(encoding, "replace")
    if kind < 0.5:
        return real + random.choice(NASTY).encode()
    if kind < 0.65:
        return mutated_bytes(random, real)
    settings: Any = yaml.safe_load(real)
    for name in random.sample(sorted(settings), random.randint(1, 3)):
        if random.random() < 0.2:
            del settings[name]
        else:
            settings[name if random.random() < 0.9 else values.text()] = values.anything()
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
