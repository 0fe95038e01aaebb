"""``litmlp export``: a trained model as one file that needs nothing of ours to answer."""

import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

import litmlp
from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.commands.extras import require
from litmlp.errors import Failure, about, printable
from litmlp.files import regular_file, write_durably, writing
from litmlp.model.columns import Column
from litmlp.model.loading import load, weights_sha256
from litmlp.model.network import Network

TOLERANCE = 1e-5
METADATA_FILE = "litmlp.json"  # in a pt2 archive, read by torch.export.load(path, extra_files={"litmlp.json": ""})


class Probabilities(nn.Module):
    """What is exported: the network with its probabilities, or a regression's values, as the output."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, samples: Tensor) -> Tensor:
        """Probabilities or values (batch, outputs) of raw samples (batch, *sample_shape) as float32."""
        return self.network.probabilities(samples)


def main(argv: list[str]) -> None:
    """Run the command. The file appears under its name only once it has been checked.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint can't be used, the file can't be written, or it answers differently.
    """
    parser = parser_with_ckpt("export.py", "Put a trained model into one file: raw samples in, probabilities out.")
    parser.add_argument("--format", choices=tuple(EXPORTS), default="onnx", help="for ONNX Runtime, or torch.export")
    parser.add_argument("--output", metavar="FILE", help="the file to write; <task>.<format> here by default")
    flags = parser.parse_args(argv)
    path = checkpoint_of(flags)
    network = load(path)
    output = Path(flags.output or f"{network.spec.task}.{flags.format}")
    with about("--output"):
        target = regular_file(output)
    samples = plausible_samples(network)
    difference = 0.0

    def write(temporary: Path) -> None:
        nonlocal difference
        content, answer = EXPORTS[flags.format](network, samples[:2], metadata_of(network))
        difference = largest_difference(network, samples, answer)
        temporary.write_bytes(content)

    with writing(output, "make room or rights, or choose another --output"):
        write_durably(target, write)
    size = f"{output.stat().st_size / 1e6:.2f} MB"
    print(printable(f"{output}  {size}, answers like {path} (differs by at most {difference:.0e})"))


def metadata_of(network: Network) -> dict[str, str]:
    """What the file says of itself, by name."""
    spec = network.spec
    return {
        "litmlp_version": litmlp.__version__,
        "task": spec.task,
        "classes": json.dumps(spec.classes, ensure_ascii=False),
        "sample_shape": json.dumps(list(spec.sample_shape)),
        "weights_sha256": weights_sha256(network.state_dict()),
        **({} if spec.table is None else {"table": json.dumps(asdict(spec.table), ensure_ascii=False)}),
    }


def plausible_samples(network: Network) -> Tensor:
    """Raw samples (257, *sample_shape) that are spread as the training samples were, to check the file with."""
    generator = torch.Generator().manual_seed(0)
    table = network.spec.table
    if table is None:
        noise = torch.randn(257, *network.spec.sample_shape, generator=generator)
        return noise * network.std + network.mean
    places = torch.rand(257, len(table.columns), generator=generator)  # from 0 to 1
    low, high = torch.tensor([value_range(column) for column in table.columns]).T  # (columns,), (columns,)
    rows = low + places * (high - low)
    categories = torch.tensor([column.kind == "category" for column in table.columns])
    rows = torch.where(categories, rows.floor(), rows)
    return rows.masked_fill(torch.rand(rows.shape, generator=generator) < 0.1, torch.nan)


def value_range(column: Column) -> tuple[float, float]:
    """The smallest and the largest number of a column, categories' with one for those never seen."""
    return (0.0, len(column.categories) + 0.99) if column.kind == "category" else (column.low, column.high)


def largest_difference(network: Network, samples: Tensor, answer: Callable[[Tensor], Tensor]) -> float:
    """How far the file's answers are from the network's own at most, for batches of several sizes.

    Raises:
        Failure: if that is more than ``TOLERANCE`` (for values above 1, in relation to them).
    """
    differences = []
    with torch.inference_mode():
        for batch in (samples, samples[:64], samples[:1]):
            expected = network.probabilities(batch)  # (batch, outputs)
            differences.append(((answer(batch) - expected) / expected.abs().clamp(min=1)).abs().max())
    difference = float(torch.stack(differences).max())  # NaN, if one is
    if not difference <= TOLERANCE:
        raise Failure(
            f"the exported model's answers differ by {difference:.1e}, more than {TOLERANCE:.0e}: nothing is written"
        )
    return difference


def to_pt2(network: Network, example: Tensor, metadata: dict[str, str]) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The content of a pt2 file, for torch.export.load, and what it answers once loaded."""
    program = torch.export.export(
        Probabilities(network), (example,), dynamic_shapes={"samples": {0: torch.export.Dim.DYNAMIC}}
    )
    buffer = BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_FILE: json.dumps(metadata, ensure_ascii=False)})
    content = buffer.getvalue()
    return content, torch.export.load(BytesIO(content)).module()


def to_onnx(network: Network, example: Tensor, metadata: dict[str, str]) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The content of an ONNX file, and what ONNX Runtime answers with it."""
    require("--format onnx", "onnx", "onnxscript", "onnxruntime")
    # Otherwise its import gives this machine an id, under ~/.cache/Microsoft, for reports to Microsoft.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnx  # noqa: PLC0415 (an extra, which pt2 does without)
    import onnxruntime  # noqa: PLC0415

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own inside
        program = torch.onnx.export(
            Probabilities(network),
            (example,),
            input_names=["samples"],
            output_names=["probabilities" if network.spec.classes else "values"],
            dynamic_shapes={"samples": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    exported = program.model_proto
    onnx.helper.set_model_props(exported, metadata)
    content = exported.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda samples: torch.from_numpy(session.run(None, {"samples": samples.numpy()})[0])


EXPORTS = {"onnx": to_onnx, "pt2": to_pt2}
