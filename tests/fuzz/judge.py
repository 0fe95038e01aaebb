"""Whether a case ended as it should."""

import re
import unicodedata

from tests.fuzz.cases import Case, Failure
from tests.fuzz.sandbox import TRAINS, Ending

STOPPED = 143  # the exit code after SIGTERM
MOVES = re.compile(r"\x1b\[A|\r")  # what a progress bar needs
LONGEST_LINE = 4000  # characters


def has_trained(ending: Ending) -> bool:
    """Whether an epoch ended, or its progress bar began."""
    return TRAINS.search(ending.out.encode(errors="replace")) is not None


def was_refused(ending: Ending) -> bool:
    """Whether the command said no."""
    return ending.code == 2 or (ending.code == 1 and not has_trained(ending))


def has_answered(ending: Ending) -> bool:
    """Whether predict could answer some of its inputs: these are written."""
    found = re.fullmatch(r"predict\.py: (\d+) of (\d+) inputs couldn't be answered", last_line(ending.err))
    return found is not None and int(found[1]) < int(found[2])


def judge(case: Case, ending: Ending) -> list[Failure]:
    """The rules that a case broke."""
    if ending.hung:
        return [Failure("hang", place_of_hang(ending.err))]
    uncaught = traceback_in(ending.err) or traceback_in(ending.out)
    if uncaught:
        return [Failure("traceback", uncaught)]
    if ending.code not in (0, 1, 2) and not (ending.stopped and ending.code == STOPPED):
        return [Failure("exit code", f"{ending.code}: {last_line(ending.err)}")]
    failures = [*on_the_terminal(ending), *in_the_folder(case, ending)]
    if ending.orphans:
        failures.append(Failure("orphans", "processes are left running"))
    return [*failures, *(in_one_line(case, ending) if was_refused(ending) else [])]


def in_one_line(case: Case, ending: Ending) -> list[Failure]:
    """A refusal has one line; predict one more for each input, fit for each checkpoint that it skips.

    A conversion that took long may have been announced.
    """
    lines = [line for line in ending.err.splitlines() if not line.startswith(("skipped: ", "note: converting "))]
    if not lines:
        return [Failure("no line", f"exit code {ending.code}")]
    begins = lines[-1].startswith(f"{case.command}.py: ")
    most = 1 + sum(line.startswith("predict.py: ") for line in lines[:-1])
    if len(lines) > most or not begins:
        return [Failure("lines", f"{similar(lines[0])[:50]} … {similar(lines[-1])[:50]}")]
    if len(lines[-1]) > LONGEST_LINE:
        return [Failure("long line", similar(lines[-1])[:20])]
    return []


def on_the_terminal(ending: Ending) -> list[Failure]:
    """Nothing on the terminal may control it."""
    text = MOVES.sub("", ending.out) + ending.err
    bad = sorted({char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"})
    where = next((line for line in text.split("\n") if bad and bad[0] in line), "")
    return [Failure("control characters", f"{''.join(bad)!a} in {similar(where)!a}"[:250])] if bad else []


def in_the_folder(case: Case, ending: Ending) -> list[Failure]:
    """A refusal changes nothing but converted data; else there are the run's folder and what the user named."""
    is_refusal = was_refused(ending) and not has_answered(ending)
    expected = is_in_the_data if is_refusal else is_expected
    changes = [path for path in ending.changes if not expected(path, case)]
    shown = ", ".join(sorted({similar(path) for path in changes})[:5])
    rule = "changed although refused" if is_refusal else "left"
    return [Failure(rule, f"{shown} ({similar(last_line(ending.err))})")] if changes else []


def is_in_the_data(path: str, case: Case) -> bool:
    """Whether a path is in the folder of data, where data are converted, once for all runs, before all is checked."""
    place, folder, *_ = path.split("/")
    words = case.argv if "--data_dir" in case.mentioned else []
    return place == "work" and folder in {"data", *(word.removeprefix("--data_dir=").split("/")[0] for word in words)}


def is_expected(path: str, case: Case) -> bool:
    """Whether a path may change: it is in the folder of runs or of data, or the user named a part of it."""
    parts = path.split("/")
    if parts[0] == "tmp":
        return False
    if case.command == "export" and re.fullmatch(r"work/\w[\w.+=-]*\.(pt2|onnx)", path):
        return True
    if parts[0] == "work" and "is a link to its folder" in case.mentioned:  # which was named by it
        return True
    return "lightning_logs" in parts or is_in_the_data(path, case) or any(part in case.mentioned for part in parts[1:])


def traceback_in(text: str) -> str:
    """The exception and its innermost place in LitMLP of the last traceback in a text; empty without one."""
    if "Traceback (most recent call last)" not in text:
        return ""
    last = text.rpartition("Traceback (most recent call last)")[2]
    places = re.findall(r'File "[^"]*/(litmlp/[^"]+|lightning/[^"]+)", line (\d+)', last)
    ours = [f"{file}:{line}" for file, line in places if file.startswith("litmlp/")]
    others = [f"{file}:{line}" for file, line in places if not file.startswith("litmlp/")]
    error = re.findall(r"^(?:[\w.]+(?:Error|Exception|Interrupt|Warning|Exit)\b.*|[\w.]+: .*)$", last, re.MULTILINE)
    said = similar(error[-1]) if error else "?"
    return f"{said[:200]} at {' '.join([*ours[-1:], *others[-1:]]) or '?'}"


def place_of_hang(err: str) -> str:
    """Where a process hung, as faulthandler printed it."""
    places = re.findall(r'File "[^"]*?/([^/"]+/[^/"]+)", line (\d+) in (\w+)', err)
    ours = re.findall(r'File "[^"]*/(litmlp/[^"]+)", line (\d+)', err)
    inner = " ".join(f"{file}:{line}" for file, line, _ in places[:1])
    return f"{inner} {' '.join(':'.join(place) for place in ours[:1])}"


def last_line(text: str) -> str:
    """The last line of a text."""
    return (text.strip().splitlines() or [""])[-1]


def similar(line: str) -> str:
    """A line without what differs from case to case."""
    line = re.sub(r"0x[0-9a-f]+", "0x…", line)
    return re.sub(r"-?\d[\d.e+]*", "N", line)[:300]
