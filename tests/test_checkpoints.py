"""Checkpoint files: whole or not there at all, and harmless whoever wrote them."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import litmlp
from litmlp import MLP, Failure, load
from litmlp.files import write_durably
from litmlp.model.checkpoint import FORMAT, IDENTITY, read_checkpoint, write_checkpoint
from litmlp.training.checkpoint_io import SafeCheckpointIO
from tests.broken_files import Evil
from tests.conftest import Fit, spec_of
from tests.crash import CrashError
from tests.faults.compare import compare

CONTENT: dict[str, Any] = {
    **IDENTITY,
    "hyper_parameters": dict(MLP(spec_of(2), hidden=[3]).hparams),
    "state_dict": MLP(spec_of(2), hidden=[3]).state_dict(),
}
SPEC = dict(MLP(spec_of(2)).hparams["spec"])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    write_checkpoint(CONTENT, path)
    assert list(compare("", read_checkpoint(path), CONTENT)) == []
    assert [file.name for file in tmp_path.iterdir()] == ["best.ckpt"]
    samples = torch.rand(5, 2)
    model = MLP(spec_of(2), hidden=[3])
    model.load_state_dict(CONTENT["state_dict"])
    assert torch.equal(MLP.load_from_checkpoint(path)(samples), model.eval()(samples))
    network = load(path)
    assert torch.equal(network(samples), model(samples))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_one_before_is_kept_under_its_other_name(tmp_path: Path) -> None:
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    for step in range(3):
        SafeCheckpointIO().save_checkpoint({**CONTENT, "global_step": step}, last)
    assert [read_checkpoint(path)["global_step"] for path in (last, previous)] == [2, 1]


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    path.write_text("old")

    def write_half(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError("no more room")

    with pytest.raises(OSError, match="no more room"):
        write_durably(path, write_half, keep_as=tmp_path / "previous.ckpt")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("last.ckpt", "old")]


@given(st.data())
def test_any_flipped_bit_is_found_or_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flip") / "best.ckpt"
    write_checkpoint(CONTENT, path)
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1), label="bit")
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    try:
        found = read_checkpoint(path)
    except Failure as failure:
        assert str(path) in str(failure)  # noqa: PT017 (either is right)
    else:
        assert list(compare("", found, CONTENT)) == []


@given(st.data())
def test_any_truncation_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cut") / "best.ckpt"
    write_checkpoint(CONTENT, path)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1), label="bytes")])
    with pytest.raises(Failure, match=f"{path} is damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize("environment", [{}, {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}])
@pytest.mark.parametrize("content", [Evil(), {**CONTENT, "state_dict": {"deep": [Evil()]}}])
def test_nothing_in_a_checkpoint_runs(
    content: Any, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    torch.save(content, "evil.ckpt")
    with pytest.raises(Failure, match="which could run code: it is refused"):
        MLP.load_from_checkpoint("evil.ckpt")
    assert [file.name for file in tmp_path.iterdir()] == ["evil.ckpt"]


@pytest.mark.parametrize("url", ["https://example.com/a.ckpt", "s3://bucket/a.ckpt", "file:///a.ckpt"])
def test_a_url_is_refused(url: str) -> None:
    with pytest.raises(Failure, match="is a URL: checkpoints are read from local files only"):
        MLP.load_from_checkpoint(url)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"hidden": [10**7, 10**7]}, r"network.layers.1.weight is \(3, 2\) in it, not \(10000000, 2\)"),
        ({"hidden": "wide"}, "--hidden wide: must be a list of whole numbers"),
        ({"unknown": 1}, "unexpected keyword argument 'unknown'"),
        ({"dropout": 2}, "--dropout 2: must be from 0 to below 1"),
        (
            {"spec": {**SPEC, "sample_shape": []}},
            r"sample_shape \(\): must be \(features,\) or \(channels, height, width\)",
        ),
        ({"activation": "none"}, "--activation none: must be one of relu, gelu, silu, tanh, sigmoid"),
    ],
)
def test_hyperparameters_that_make_no_such_model_are_refused(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.ckpt"
    write_checkpoint({**CONTENT, "hyper_parameters": {**CONTENT["hyper_parameters"], **changed}}, path)
    with pytest.raises(Failure, match=reason):
        MLP.load_from_checkpoint(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ckpt")
    with pytest.raises(Failure, match="pipe.ckpt is a device or a pipe, no file$"):
        load(tmp_path / "pipe.ckpt")
    with pytest.raises(Failure, match="^/dev/zero is a device or a pipe, no file$"):
        load("/dev/zero")


def test_a_path_that_cant_be_has_one_line() -> None:
    with pytest.raises(Failure, match="^can't read x{300}: File name too long$"):
        load("x" * 300)


@pytest.mark.parametrize("missing", ["hyper_parameters", "state_dict"])
def test_what_is_missing_is_named(missing: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.ckpt"
    write_checkpoint({key: value for key, value in CONTENT.items() if key != missing}, path)
    with pytest.raises(Failure, match=f"can be used here: {missing} in it is missing or wrong"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"classes": ("a",)}, "classes 1 names for 2 outputs: must be a name for each of 2 or more"),
        ({"classes": ("a", "b\ud800")}, "classes .*: must be printable names"),
        ({"classes": ("a", "\x1b[2J")}, "classes .*: must be printable names"),
        ({"task": "../x"}, r"task \.\./x: must be a name of letters, digits and _ \. \+ = -"),
        ({"task": "/etc/passwd"}, "task /etc/passwd: must be a name of letters"),
        ({"outputs": True}, "outputs True: must be a whole number of at least 1"),
        ({"kind": "picture"}, "kind picture: must be one of drawing, image, point, bits, numbers"),
        ({"image": {"white": 255}}, "image .*: must be the form of images"),
        ({"sample_shape": (2**40,)}, r"sample_shape \(1099511627776,\): must be"),
    ],
)
def test_a_spec_that_describes_no_task_is_refused(changed: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.ckpt"
    parameters = {**CONTENT["hyper_parameters"], "spec": {**SPEC, **changed}}
    write_checkpoint({**CONTENT, "hyper_parameters": parameters}, path)
    for loader in (load, MLP.load_from_checkpoint):
        with pytest.raises(Failure, match=f"^{path} is no checkpoint of LitMLP: {reason}"):
            loader(path)


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(3, 2).to_sparse(),
        torch.zeros(3, 2, dtype=torch.complex64),
        torch.zeros(3, 2, device="meta"),
        torch.zeros(3, 2, dtype=torch.int64),
        [[0.0, 0.0]] * 3,
    ],
    ids=["sparse", "complex", "meta", "whole numbers", "list"],
)
def test_weights_of_another_kind_are_refused(weight: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.ckpt"
    write_checkpoint({**CONTENT, "state_dict": {**CONTENT["state_dict"], "network.layers.1.weight": weight}}, path)
    with pytest.raises(Failure, match=r"layers\.1\.weight is .* in it, not \(3, 2\)"):
        load(path)


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions:UserWarning")
def test_so_are_quantized_ones(tmp_path: Path) -> None:
    weight = torch.quantize_per_tensor(torch.zeros(3, 2), scale=0.1, zero_point=0, dtype=torch.qint8)
    test_weights_of_another_kind_are_refused(weight, tmp_path)


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (
            {"litmlp_format": 1},
            f"in format 1, and LitMLP {litmlp.__version__} reads format {FORMAT} only: fit",
        ),
        ({"litmlp_format": FORMAT + 1, "litmlp_version": "7.0"}, "by LitMLP 7.0 in format 3, .*: upgrade LitMLP$"),
        ({"litmlp_format": "2"}, "is no checkpoint of LitMLP: it names no format and version$"),
        ({"litmlp_version": "\x1b[2J"}, "is no checkpoint of LitMLP: it names no format and version$"),
    ],
)
def test_another_format_is_refused_in_one_line(identity: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.ckpt"
    write_checkpoint({**CONTENT, **identity}, path)
    with pytest.raises(Failure, match=reason):
        load(path)


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_checkpoint_can_not_have_a_file_deleted(is_folder: bool, run_fit: Fit, tmp_path: Path) -> None:
    """Lightning's ModelCheckpoint deletes the worst checkpoint, whose path it takes from the one it resumed from."""
    precious = tmp_path / "precious"
    (precious / "photos").mkdir(parents=True)
    (precious / "diary.ckpt").write_text("dear diary")
    flags = ["--max_epochs", "3", "--callbacks+=ModelCheckpoint", "--callbacks.monitor=val/loss"]
    with pytest.raises(CrashError):
        run_fit(*flags, "--callbacks+=tests.crash.Crash", "--callbacks.step=20")
    folder = tmp_path / "lightning_logs" / "digits" / "run"
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    (state,) = (value for key, value in content["callbacks"].items() if key.startswith("ExactModelCheckpoint"))
    climbing = f"{state['dirpath']}/../../../../precious/{'photos' if is_folder else 'diary.ckpt'}"
    worst = torch.tensor(1e9)
    state.update(best_k_models={climbing: worst}, kth_best_model_path=climbing, kth_value=worst)
    torch.save(content, last)
    with pytest.raises(Failure, match=r"says to delete .*precious.*: it is refused"):
        run_fit(*flags)
    assert (precious / "diary.ckpt").read_text() == "dear diary"
    assert (precious / "photos").is_dir()
    shutil.rmtree(precious)
