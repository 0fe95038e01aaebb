"""``litmlp predict``: a trained model's predictions for image files or numbers from the command line."""

import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.errors import Failure, UsageError, one_line, printable
from litmlp.files import read_regular
from litmlp.inference.images import sample_from_image
from litmlp.inference.predictions import outputs_of, predictions_from
from litmlp.inference.samples import sample_from_text
from litmlp.model.loading import load
from litmlp.model.network import Network
from litmlp.model.spec import Spec

CHUNK = 256  # inputs that are answered together
LARGEST_IMAGE = 200_000_000  # bytes of a file: the largest image that is unpacked has no more without compression

Answer = dict[str, Any]


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
        help="an image, a folder of images, or a sample's numbers with commas between them, such as 0.3,0.9",
    )
    parser.add_argument("--format", choices=("text", "json", "csv"), default="text", help="json and csv: for programs")
    flags = parser.parse_args(argv)
    if "" in flags.inputs:
        raise UsageError("an INPUT is empty: name an image, a folder of images, or numbers")
    network = load(checkpoint_of(flags))
    takes_images = len(network.spec.sample_shape) == 3
    names = [str(path) for name in flags.inputs for path in files_in(Path(name))] if takes_images else flags.inputs
    failed = Failures()
    width = max((len(printable(name)) for name in names), default=0)
    write(flags.format, failed.taken_out(answers(network, names)), width)
    if failed.count:
        raise Failure(f"{failed.count} of {len(names)} inputs couldn't be answered")


class Failures:
    """Takes the failures out of a stream of answers: names them on stderr, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def taken_out(self, answers: Iterator[tuple[str, Answer | Failure]]) -> Iterator[Answer]:
        """The answers, each with its input."""
        for name, answer in answers:
            if isinstance(answer, Failure):
                print(one_line(f"predict.py: {name}: {answer}"), file=sys.stderr)
                self.count += 1
            else:
                yield {"input": name, **answer}


def files_in(path: Path) -> list[Path]:
    """The path, or in place of a folder the files in it and below, in order, without the hidden ones.

    Raises:
        UsageError: if there is none.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (unlike Path.is_dir, it says no where there can't be such a folder)
        return [path]
    files = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    if not files:
        raise UsageError(f"{path} is a folder without files")
    return files


def answers(network: Network, names: list[str]) -> Iterator[tuple[str, Answer | Failure]]:
    """Each input with its answer or why there is none; of a few inputs at a time the failures come first."""
    for start in range(0, len(names), CHUNK):
        readable: list[str] = []
        samples: list[Tensor] = []
        for name in names[start : start + CHUNK]:
            try:
                samples.append(read_sample(network.spec, name))
                readable.append(name)
            except Failure as failure:
                yield name, failure
        if samples:
            outputs = outputs_of(network, torch.stack(samples))  # (readable, outputs)
            yield from zip(readable, predictions_from(network, outputs), strict=True)


def read_sample(spec: Spec, name: str) -> Tensor:
    """A sample (*sample_shape) from an image's file, or from numbers with commas between them.

    Raises:
        Failure: if it can't be read, or isn't one.
    """
    if len(spec.sample_shape) != 3:
        return sample_from_text(spec, name)
    try:
        content = read_regular(Path(name), LARGEST_IMAGE)
    except OSError as error:
        raise Failure(f"can't be read ({error.strerror})") from None
    return sample_from_image(spec, content)


def write(form: str, answers: Iterator[Answer], width: int) -> None:
    """Write the answers to stdout, each as soon as it is there."""
    if form == "text":
        for answer in answers:
            print(f"{printable(answer['input']):{width}}  {in_words(answer)}", flush=True)
    elif form == "json":
        print("[", end="")
        for number, answer in enumerate(answers):
            text = json.dumps(answer, ensure_ascii=not answer["input"].isprintable())
            print(f"{',' if number else ''}\n{text}", end="", flush=True)
        print("\n]")
    else:
        table = csv.writer(sys.stdout, lineterminator="\n")
        for number, answer in enumerate(answers):
            columns = {"input": answer["input"], **flat(answer)}
            if number == 0:
                table.writerow(columns)
            table.writerow(columns.values())


def flat(answer: Answer) -> dict[str, Any]:
    """The answer without lists, for a table."""
    if "values" in answer:
        values = answer["values"]
        return {"value" if len(values) == 1 else f"value_{number}": value for number, value in enumerate(values)}
    return {name: value for name, value in answer.items() if name not in ("input", "probabilities")}


def in_words(answer: Answer) -> str:
    """The answer for people."""
    if "values" in answer:
        return "  ".join(f"{value:.6g}" for value in answer["values"])
    return (
        f"{answer['label']}  {answer['probability']:.1%}"
        f"  (then {answer['runner_up']}  {answer['runner_up_probability']:.1%})"
    )
