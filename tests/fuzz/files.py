from pathlib import Path
from random import Random
from tests.fuzz.cases import Case
def make(random: Random, base: Path) -> Case:
    return Case("fit", ("--config", "x"), ())
