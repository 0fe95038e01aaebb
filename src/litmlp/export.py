"""``scripts/export.py``: a trained model as one file that needs nothing of ours to answer."""

import json
import logging
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

import litmlp
from litmlp.checkpoints import write_durably
from litmlp.errors import Failure, UsageError
from litmlp.extras import require
from litmlp.flags import checkpoint_of, parser_with_ckpt
from litmlp.mlp import MLP
from litmlp.report import weights_sha256

TOLERANCE = 1e-5
METADATA_FILE = "litmlp.json"  # in a pt2 archive, read by torch.export.load(path, extra_files={"litmlp.json": ""})


class RawToProbabilities(nn.Module):
    """What is exported: raw samples in, probabilities out (a regression's values), standardisation inside."""

    def __init__(self, model: MLP) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", model.mean)
        self.deviation: Tensor
        self.register_buffer("deviation", model.deviation)
        self.network = model.network
        self.classifies = bool(model.settings.classes)

    def forward(self, samples: Tensor) -> Tensor:
        """Probabilities or values (batch, outputs) of raw samples (batch, *sample_shape) as float32."""
        logits: Tensor = self.network((samples - self.mean) / self.deviation)  # (batch, outputs)
        return logits.softmax(1) if self.classifies else logits


def main(argv: list[str]) -> None:
    """Run the command. The file appears under its name only once it has been checked.

    Raises:
        UsageError: if a flag is wrong.
        Failure: if the checkpoint can't be used, the file can't be written, or it answers differently.
    """
    parser = parser_with_ckpt("export.py", "Put a trained model into one file: raw samples in, probabilities out.")
    parser.add_argument("--format", choices=tuple(EXPORTS), default="onnx", help="for ONNX Runtime, or torch.export")
    parser.add_argument(
        "--output", metavar="FILE", help="the file to write; <task>.<format> here unless told otherwise"
    )
    flags = parser.parse_args(argv)
    path = checkpoint_of(flags)
    model = MLP.load_from_checkpoint(path)
    output = Path(flags.output or f"{model.settings.task}.{flags.format}")
    if output.is_dir():
        raise UsageError(f"--output {output} is a folder: name a file")
    samples = plausible_samples(model)
    difference = 0.0

    def write(temporary: Path) -> None:
        nonlocal difference
        content, answer = EXPORTS[flags.format](RawToProbabilities(model).eval(), samples[:2], metadata_of(model))
        difference = largest_difference(model, samples, answer)
        temporary.write_bytes(content)

    try:
        write_durably(output, write)
    except OSError as error:
        raise Failure(
            f"can't write {output} ({error.strerror}): make room or rights, or choose another --output"
        ) from None
    print(f"{output}  {output.stat().st_size / 1e6:.2f} MB, answers like {path} (differs by at most {difference:.0e})")


def metadata_of(model: MLP) -> dict[str, str]:
    """What the file says of itself, by name."""
    return {
        "litmlp_version": litmlp.__version__,
        "task": model.settings.task,
        "classes": json.dumps(model.settings.classes, ensure_ascii=False),
        "sample_shape": json.dumps(list(model.sample_shape)),
        "weights_sha256": weights_sha256(model.state_dict()),
    }


def plausible_samples(model: MLP) -> Tensor:
    """Raw samples (257, *sample_shape) that are spread as the training samples were, to check the file with."""
    noise = torch.randn(257, *model.sample_shape, generator=torch.Generator().manual_seed(0))
    return noise * model.deviation + model.mean


def largest_difference(model: MLP, samples: Tensor, answer: Callable[[Tensor], Tensor]) -> float:
    """How far the file's answers are from the model's own at most, for batches of several sizes.

    Raises:
        Failure: if that is more than ``TOLERANCE`` (for values above 1, in relation to them).
    """
    differences = []
    with torch.inference_mode():
        original = RawToProbabilities(model).eval()
        for batch in (samples, samples[:64], samples[:1]):
            expected = original(batch)  # (batch, outputs)
            differences.append(((answer(batch) - expected) / expected.abs().clamp(min=1)).abs().max())
    difference = float(torch.stack(differences).max())  # NaN, if one is
    if not difference <= TOLERANCE:
        raise Failure(
            f"the exported model's answers differ by {difference:.1e}, more than {TOLERANCE:.0e}: nothing is written"
        )
    return difference


def to_pt2(module: nn.Module, example: Tensor, metadata: dict[str, str]) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The content of a pt2 file, for torch.export.load, and what it answers once loaded."""
    program = torch.export.export(module, (example,), dynamic_shapes={"samples": {0: torch.export.Dim.DYNAMIC}})
    buffer = BytesIO()
    torch.export.save(program, buffer, extra_files={METADATA_FILE: json.dumps(metadata, ensure_ascii=False)})
    content = buffer.getvalue()
    return content, torch.export.load(BytesIO(content)).module()


def to_onnx(module: nn.Module, example: Tensor, metadata: dict[str, str]) -> tuple[bytes, Callable[[Tensor], Tensor]]:
    """The content of an ONNX file, and what ONNX Runtime answers with it."""
    require("--format onnx", "onnx", "onnxscript", "onnxruntime")
    import onnx  # noqa: PLC0415 (an extra, which pt2 does without)
    import onnxruntime  # noqa: PLC0415

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own inside
        program = torch.onnx.export(
            module,
            (example,),
            input_names=["samples"],
            output_names=["probabilities" if module.classifies else "values"],
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
