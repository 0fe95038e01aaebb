"""Exported files answer like the checkpoint, in a process without litmlp."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import torch

import litmlp
from litmlp import Network, load
from litmlp.commands import export
from litmlp.errors import Failure, UsageError
from litmlp.model.checkpoint import IDENTITY, write_checkpoint
from litmlp.runs import Run
from litmlp.tasks import TASKS
from litmlp.training.mlp import MLP
from tests.conftest import ROOT, spec_of

ELSEWHERE = """
import json, sys
import numpy
samples = numpy.load("samples.npy")
if sys.argv[1].endswith("onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1])
    metadata = session.get_modelmeta().custom_metadata_map
    outputs = session.run(None, {"samples": samples})[0]
else:
    import torch
    extra = {"litmlp.json": ""}
    program = torch.export.load(sys.argv[1], extra_files=extra)
    metadata = json.loads(extra["litmlp.json"])
    outputs = program.module()(torch.from_numpy(samples)).detach().numpy()
assert not any("litmlp" in name for name in sys.modules)
numpy.save(sys.argv[1] + ".npy", outputs)
print(json.dumps(metadata))
"""


def elsewhere(path: Path, samples: torch.Tensor) -> tuple[numpy.ndarray, dict[str, str]]:
    """The outputs and the metadata of an exported file, from a process that doesn't find litmlp."""
    numpy.save(path.parent / "samples.npy", samples.float().numpy())
    command = [sys.executable, "-I", "-c", ELSEWHERE, path.name]
    ended = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return numpy.load(f"{path}.npy"), json.loads(ended.stdout)


def probabilities(network: Network, samples: torch.Tensor) -> numpy.ndarray:
    with torch.inference_mode():
        outputs: torch.Tensor = network(samples).softmax(1)
    return outputs.numpy()


@pytest.mark.parametrize("form", ["onnx", "pt2"])
@pytest.mark.slow
def test_the_whole_mnist_test_set_elsewhere(form: str, trained: Callable[[str], Run], tmp_path: Path) -> None:
    run = trained("mnist")
    output = tmp_path / f"mnist.{form}"
    export.main(["--ckpt", str(run.best), "--format", form, "--output", str(output)])
    samples, _ = TASKS["mnist"](data_dir=str(run.folder.parents[2] / "data")).split("test")
    outputs, metadata = elsewhere(output, samples)
    expected = probabilities(load(run.best), samples)
    assert numpy.abs(outputs - expected).max() <= 1e-5
    assert (outputs.argmax(1) == expected.argmax(1)).all()
    assert metadata == {
        "litmlp_version": litmlp.__version__,
        "task": "mnist",
        "classes": json.dumps([*"0123456789"]),
        "sample_shape": "[1, 28, 28]",
        "weights_sha256": metadata["weights_sha256"],
    }
    assert list(tmp_path.glob(".*")) == []


def test_a_checkpoint_alone_becomes_a_file_here(
    digits: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(digits.parent)
    export.main(["--ckpt", digits.name])
    assert capsys.readouterr().out.startswith("digits.onnx  0.2")
    samples, _ = TASKS["digits"]().split("test")
    outputs, metadata = elsewhere(digits.parent / "digits.onnx", samples)
    assert numpy.abs(outputs - probabilities(load(digits), samples)).max() <= 1e-5
    assert metadata["task"] == "digits"


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_regression_and_a_convolution_with_batch_normalisation(
    form: str, trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = MLP(spec_of(1, 8, 8, outputs=10), conv=[4], hidden=[8], batch_norm=True, dropout=0.5)
    write_checkpoint(
        {**IDENTITY, "hyper_parameters": dict(model.hparams), "state_dict": model.state_dict()}, tmp_path / "conv.ckpt"
    )
    for path in (tmp_path / "conv.ckpt", trained("log_value").best):
        export.main(["--ckpt", str(path), "--format", form, "--output", str(tmp_path / f"out.{form}")])
        assert capsys.readouterr().out.startswith(f"{tmp_path / f'out.{form}'}  0.")
    program = elsewhere(tmp_path / f"out.{form}", torch.tensor([[0.2, 0.4], [0.9, 0.8], [0.1, 0.1]]))[0]
    with torch.inference_mode():
        expected = load(path)(torch.tensor([[0.2, 0.4], [0.9, 0.8], [0.1, 0.1]])).numpy()
    assert program == pytest.approx(expected, abs=1e-5)


def test_a_device_and_a_pipe_are_left_alone_and_a_link_is_followed(digits: Path, tmp_path: Path) -> None:
    pipe, link, target = (tmp_path / name for name in ("pipe", "link.pt2", "target.pt2"))
    os.mkfifo(pipe)
    device = Path("/dev/null").stat()
    for place in (pipe, Path("/dev/null")):
        with pytest.raises(UsageError, match=f"^--output {place} is a device or a pipe: name a file$"):
            export.main(["--ckpt", str(digits), "--format=pt2", "--output", str(place)])
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (Path("/dev/null").stat().st_ino, Path("/dev/null").stat().st_rdev) == (device.st_ino, device.st_rdev)
    link.symlink_to(target.name)
    for _ in range(2):  # the target isn't there, and is
        export.main(["--ckpt", str(digits), "--format=pt2", "--output", str(link)])
        assert link.is_symlink()
        assert link.readlink() == Path(target.name)
        assert target.stat().st_size > 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.pt2", "pipe", "target.pt2"]


def test_an_export_to_onnx_leaves_nothing_in_the_home_folder(digits: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, str(ROOT / "scripts" / "export.py"), "--ckpt", str(digits), "--output", "digits.onnx"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "HOME": str(home)}, capture_output=True, check=True)
    assert (tmp_path / "digits.onnx").stat().st_size > 10_000
    assert list(home.rglob("*")) == []


def test_a_name_that_would_control_a_terminal_is_shown_with_escapes(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "\x1b[2Jx.pt2"
    export.main(["--ckpt", str(digits), "--format=pt2", "--output", str(place)])
    assert place.is_file()
    assert capsys.readouterr().out.startswith(f"{tmp_path}/\\x1b[2Jx.pt2  ")


def test_the_name_in_a_checkpoint_is_no_path(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for name in ("../x", str(tmp_path / "x"), ".."):
        content = torch.load(digits, weights_only=True)
        content["hyper_parameters"]["spec"]["task"] = name
        torch.save(content, "hostile.ckpt")
        with pytest.raises(Failure, match="^hostile.ckpt is no checkpoint of LitMLP: task "):
            export.main(["--ckpt", "hostile.ckpt", "--format=pt2"])
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "hostile.ckpt"]


def test_nothing_is_written_if_the_answers_differ_or_the_place_is_wrong(digits: Path, tmp_path: Path) -> None:
    network = load(digits)
    samples = export.plausible_samples(network)
    with pytest.raises(Failure, match="^the exported model's answers differ by .*: nothing is written$"):
        export.largest_difference(network, samples, lambda batch: network(batch).softmax(1) + 2e-5)
    with pytest.raises(Failure, match="^the exported model's answers differ by nan"):
        export.largest_difference(network, samples, lambda batch: network(batch) * torch.nan)
    with pytest.raises(UsageError, match="is a folder: name a file$"):
        export.main(["--ckpt", str(digits), "--output", str(tmp_path)])
    with pytest.raises(Failure, match=r"^can't write .*nowhere.*\(No such file or directory\)"):
        export.main(["--ckpt", str(digits), "--format=pt2", "--output", str(tmp_path / "nowhere" / "x.pt2")])
    assert list(tmp_path.iterdir()) == []
