"""``scripts/predict.py``: a trained model's answers to pictures or numbers from the command line."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litmlp.answers import answers_of, ink_of_task, outputs_of, samples_of
from litmlp.errors import Failure, UsageError
from litmlp.flags import checkpoint_of, parser_with_ckpt
from litmlp.ink import Ink
from litmlp.mlp import MLP
from litmlp.pictures import read_picture

CHUNK = 256  # inputs that are answered together


def main(argv: list[str]) -> None:
    """Run the command. An input that can't be answered is named on stderr, and the others still are.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint can't be used, or an input couldn't be answered.
    """
    parser = parser_with_ckpt("predict.py", "Let a trained model answer: one line for each input.")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a picture, a folder of pictures, or a sample's numbers with commas between them, such as 0.3,0.9",
    )
    parser.add_argument("--format", choices=("text", "json", "csv"), default="text", help="json and csv: for programs")
    flags = parser.parse_args(argv)
    model = MLP.load_from_checkpoint(checkpoint_of(flags))
    ink = ink_of_task(model)
    names = flags.inputs if ink is None else [str(path) for name in flags.inputs for path in files_in(Path(name))]
    unanswered: list[str] = []
    write(flags.format, answers(model, ink, names, unanswered), max(map(len, names), default=0))
    if unanswered:
        raise Failure(f"{len(unanswered)} of {len(names)} inputs couldn't be answered")


def files_in(path: Path) -> list[Path]:
    """The path, or in place of a folder the files in it and below, in order, without the hidden ones.

    Raises:
        UsageError: if there is none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    if not files:
        raise UsageError(f"{path} is a folder without files")
    return files


def answers(model: MLP, ink: Ink | None, names: list[str], unanswered: list[str]) -> Iterator[dict[str, Any]]:
    """The answers in the order of the inputs. Those without one are named on stderr, and added to ``unanswered``."""
    for start in range(0, len(names), CHUNK):
        answered: list[str] = []
        samples: list[Tensor] = []
        for name in names[start : start + CHUNK]:
            try:
                samples.append(read_numbers(model, name) if ink is None else read_image(model, ink, Path(name)))
                answered.append(name)
            except Failure as failure:
                print(f"predict.py: {name}: {failure}", file=sys.stderr)
                unanswered.append(name)
        if samples:
            outputs = outputs_of(model, torch.stack(samples))
            for name, answer in zip(answered, answers_of(model, outputs), strict=True):
                yield {"input": name, **answer}


def read_numbers(model: MLP, text: str) -> Tensor:
    """A sample (*sample_shape) from numbers with commas between them.

    Raises:
        Failure: if it isn't one.
    """
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise Failure(f"the model takes numbers, {model.sample_shape[0]} with commas between them") from None
    return samples_of(model, [numbers])[0]


def read_image(model: MLP, ink: Ink, path: Path) -> Tensor:
    """A sample (*sample_shape) from a picture's file.

    Raises:
        Failure: if it can't be read or is no picture.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(f"can't be read ({error.strerror})") from None
    return ink.sample(read_picture(content), model.sample_shape)


def write(form: str, answers: Iterator[dict[str, Any]], width: int) -> None:
    """Write the answers to stdout, each as soon as it is there."""
    if form == "text":
        for answer in answers:
            print(f"{answer['input']:{width}}  {in_words(answer)}", flush=True)
    elif form == "json":
        print("[", end="")
        for number, answer in enumerate(answers):
            print(f"{',' if number else ''}\n{json.dumps(answer, ensure_ascii=False)}", end="", flush=True)
        print("\n]")
    else:
        table = csv.writer(sys.stdout, lineterminator="\n")
        for number, answer in enumerate(answers):
            columns = {"input": answer["input"], **flat(answer)}
            if number == 0:
                table.writerow(columns)
            table.writerow(columns.values())


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without lists, for a table."""
    if "values" in answer:
        values = answer["values"]
        return {"value" if len(values) == 1 else f"value_{number}": value for number, value in enumerate(values)}
    return {name: value for name, value in answer.items() if name not in ("input", "probabilities")}


def in_words(answer: dict[str, Any]) -> str:
    """The answer for people."""
    if "values" in answer:
        return "  ".join(f"{value:.6g}" for value in answer["values"])
    return (
        f"{answer['label']}  {answer['probability']:.1%}"
        f"  (then {answer['runner_up']}  {answer['runner_up_probability']:.1%})"
    )
