"""``litmlp predict``: a trained model's predictions for image files or numbers from the command line."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litmlp.commands.answer_formats import Answered, format_of, write_answers
from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.commands.predict_rows import answered_rows
from litmlp.errors import Failure, UsageError, one_line, printable
from litmlp.inference.images import read_image_file, sample_from_image
from litmlp.inference.predictions import in_words, outputs_of, predictions_from
from litmlp.inference.samples import sample_from_text
from litmlp.model.loading import load
from litmlp.model.network import Network
from litmlp.model.spec import Spec

CHUNK = 256  # inputs that are answered together
INPUT = (
    "an image, a folder of images, or a sample's numbers with commas between them, such as 0.3,0.9; for a model of a"
    " table a CSV or Parquet file of rows, - for CSV from stdin, or a row as JSON"
)


def main(argv: list[str]) -> None:
    """Run the command. An input that can't be answered is named on stderr, and the others still are.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint can't be used, an input couldn't be answered, or the answers can't be written.
    """
    parser = parser_with_ckpt("predict.py", "Let a trained model answer: one line for each input.")
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help=INPUT)
    formats = ("text", "json", "csv", "parquet")
    parser.add_argument("--format", choices=formats, help="text for people, by default; the others for programs")
    parser.add_argument("--output", metavar="FILE", help="the file to write, in the format of its ending: answers.csv")
    flags = parser.parse_args(argv)
    if "" in flags.inputs:
        raise UsageError("an INPUT is empty: name an image, a folder of images, or numbers")
    form = format_of(flags.format, flags.output)
    network = load(checkpoint_of(flags))
    failed = Failures()
    if network.spec.table is not None:
        answers, width = answered_rows(network, flags.inputs), 0
    else:
        takes_images = len(network.spec.sample_shape) == 3
        names = [str(path) for name in flags.inputs for path in files_in(Path(name))] if takes_images else flags.inputs
        answers, width = answers_to(network, names), max((len(printable(name)) for name in names), default=0)
    write_answers(failed.taken_out(answers, needs_one=flags.output is not None), form, width, flags.output)
    failed.check()


class Failures:
    """Takes the failures out of a stream of answers: names them on stderr, and counts them.

    Attributes:
        count: of the failures.
        inputs: how many there were in all.
    """

    def __init__(self) -> None:
        self.count = self.inputs = 0

    def taken_out(self, answers: Iterator[Answered | tuple[str, Failure]], needs_one: bool) -> Iterator[Answered]:
        """The answers.

        Raises:
            Failure: if one is needed, lest a file be replaced by an empty one, and no input could be answered.
        """
        for answer in answers:
            self.inputs += 1
            if isinstance(answer, Answered):
                yield answer
            else:
                print(one_line(f"predict.py: {answer[0]}: {answer[1]}"), file=sys.stderr)
                self.count += 1
        if needs_one and self.count == self.inputs:
            self.check()

    def check(self) -> None:
        """Raise a Failure if there was one."""
        if self.count:
            raise Failure(f"{self.count} of {self.inputs} inputs couldn't be answered")


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


def answers_to(network: Network, names: list[str]) -> Iterator[Answered | tuple[str, Failure]]:
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
            for name, answer in zip(readable, predictions_from(network, outputs), strict=True):
                plain = {"input": name, **answer}
                yield Answered(name, in_words(answer), plain, {"input": name, **flat(answer)})


def read_sample(spec: Spec, name: str) -> Tensor:
    """A sample (*sample_shape) from an image's file, or from numbers with commas between them.

    Raises:
        Failure: if it can't be read, or isn't one.
    """
    if len(spec.sample_shape) != 3:
        return sample_from_text(spec, name)
    return sample_from_image(spec, read_image_file(Path(name)))


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without lists, for a table."""
    if "values" in answer:
        values = answer["values"]
        return {"value" if len(values) == 1 else f"value_{number}": value for number, value in enumerate(values)}
    return {name: value for name, value in answer.items() if name != "probabilities"}
