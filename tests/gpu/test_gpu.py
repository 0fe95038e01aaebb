"""A GPU does what the CPU does: it runs, it is exact, and its steps don't wait."""

import json
import re
import signal
import urllib.request
from pathlib import Path

import pytest
import torch

from litmlp.tasks.loader import BatchLoader, fits
from tests.conftest import SHARED_DATA, Start
from tests.faults.compare import differences
from tests.gpu.commands import ON_GPU, WITHOUT_GPU, call, digest, finish, fit, kill

if not torch.cuda.is_available():
    pytest.skip("there is no CUDA device here: docs/gpu.md says what is proven without one", allow_module_level=True)

GPU = torch.device("cuda", torch.cuda.current_device())
AVERAGE = "--callbacks+=EMAWeightAveraging --callbacks.decay=0.9"
DEFORMED = "--augment.rotation 10 --augment.elastic 0.5 --augment.shift 1 --augment.flip 0.5 --augment.erase 0.3"
BY_HAND = {
    "digits": "--task digits --max_epochs 3",
    "log_value": "--task log_value --max_epochs 2 --optimizer sgd",
    "xor": "--task xor",
    "dropout and batch norm": "--task digits --max_epochs 3 --dropout 0.3 --batch_norm true --optimizer adamw",
    "convolutions": "--task digits --max_epochs 3 --conv [6] --schedule cosine",
    "bf16": "--task digits --max_epochs 3 --precision bf16-mixed --conv [6]",
    "deformed": f"--task digits --max_epochs 3 {DEFORMED}",
}
UNDER_THE_TRAINER = {
    "averaged": f"--task digits --max_epochs 3 --batch_norm true {AVERAGE}",
    "clipped": "--task digits --max_epochs 3 --gradient_clip_val 0.5 --precision bf16-mixed",
    "float16": "--task digits --max_epochs 3 --precision 16-mixed --gradient_clip_val 0.5",
    "float64": "--task digits --max_epochs 3 --precision 64-true",
    "accumulated": "--task digits --max_epochs 3 --accumulate_grad_batches 4 --val_check_interval 0.5",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_trainer_and_the_plain_loop_end_with_the_same_bits(name: str, tmp_path: Path) -> None:
    run = fit(tmp_path, "run", *BY_HAND[name].split())
    by_hand = call(tmp_path, "by_hand", "--accelerator", "gpu", *BY_HAND[name].split())
    found = re.search(r"last weights +sha256 (\w{16})", by_hand)
    assert found is not None
    assert found[1] == digest(run)[:16]


@pytest.mark.parametrize("name", UNDER_THE_TRAINER)
def test_two_runs_end_with_the_same_bits(name: str, tmp_path: Path) -> None:
    runs = [fit(tmp_path, run, *UNDER_THE_TRAINER[name].split()) for run in ("one", "two")]
    assert digest(runs[0]) == digest(runs[1])


@pytest.mark.parametrize(
    "flags", ["--task mnist", "--task fashion_mnist --conv [8] --augment.shift 1 --augment.flip 0.5"]
)
def test_image_data_sets_are_learned(flags: str, tmp_path: Path) -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip("MNIST isn't here")
    run = fit(tmp_path, "run", *flags.split(), "--max_epochs", "2", "--data_dir", str(SHARED_DATA))
    results = run.read_results()
    assert results is not None
    assert results["test"]["accuracy"] > (0.97 if "fashion" not in flags else 0.85)


def test_a_run_that_is_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    flags = ["--task", "digits", "--max_epochs", "60", "--dropout", "0.3", "--conv", "[6]", "--run"]
    reference = fit(tmp_path, "reference", *flags[:-1])
    for number, (signum, line, delay) in enumerate(
        [
            (signal.SIGKILL, "epoch 2/", 0.0),
            (signal.SIGKILL, "epoch 9/", 0.03),
            (signal.SIGKILL, "epoch 20/", 0.01),
            (signal.SIGTERM, "epoch 30/", 0.02),  # which saves within an epoch
        ]
    ):
        name = f"killed_{number}"
        kill(tmp_path, signum, line, delay, *flags, name)
        assert differences(fit(tmp_path, name, *flags[:-1]).folder, reference.folder) == []


@pytest.mark.parametrize(
    "flags", ["", f"--precision bf16-mixed --conv [6] --dropout 0.3 {DEFORMED}", "--task log_value"]
)
def test_fifty_steps_wait_for_nothing(flags: str, tmp_path: Path) -> None:
    callback = ["--callbacks+=tests.gpu.callbacks.NoWaiting", "--log_every_n_steps", "1000"]
    many_steps = ["--batch_size", "8", "--max_epochs", "1"]  # in one epoch: at its end the metrics are read
    said = call(tmp_path, "fit", "--accelerator", "gpu", *flags.split(), *callback, *many_steps)
    assert "50 steps without waiting" in said


def test_a_checkpoint_of_the_gpu_is_used_without_one(tmp_path: Path, start: Start) -> None:
    run = fit(tmp_path, "run", "--task", "digits", "--max_epochs", "10", "--conv", "[6]")
    results = run.read_results()
    assert results is not None
    tested = call(tmp_path, "test", "--ckpt", run.best, environment=WITHOUT_GPU)
    assert float(tested.split()[3]) == pytest.approx(results["test"]["accuracy"], abs=0.01)
    assert call(tmp_path, "test", "--ckpt", run.best, environment=ON_GPU).splitlines()[1] == tested.splitlines()[1]
    call(tmp_path, "export", "--ckpt", run.best, "--format", "pt2", "--output", "digits.pt2", environment=WITHOUT_GPU)
    point = fit(tmp_path, "points", "--task", "log", "--max_epochs", "2")
    answers = [
        call(tmp_path, "predict", "--ckpt", point.best, "--format", "json", "0.3,0.9", environment=environment)
        for environment in (ON_GPU, WITHOUT_GPU)
    ]
    assert answers[0] == answers[1]
    server = start("serve", "--ckpt", str(point.folder), "--port", "0", CUDA_VISIBLE_DEVICES="")
    assert server.stdout is not None
    url = re.search(r"http://\S+", server.stdout.readline())
    assert url is not None
    request = urllib.request.Request(
        f"{url[0]}/predict", json.dumps({"sample": [0.3, 0.9]}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["answers"][0]["label"] == json.loads(answers[0])[0]["label"]


@pytest.mark.parametrize(("before", "after"), [("cpu", "gpu"), ("gpu", "cpu")])
def test_a_run_moves_from_one_device_to_the_other(before: str, after: str, tmp_path: Path) -> None:
    fit(tmp_path, "run", "--max_epochs", "3", "--accelerator", before)
    flags = ["--task", "digits", "--run", "run", "--max_epochs", "5", "--accelerator", after]
    moved = finish(tmp_path, "fit", *flags)
    assert re.search(r"^resuming at epoch 4, step \d+$", moved.stdout, re.MULTILINE)
    assert "epoch 5/5" in moved.stdout
    line = r"^note: begun with torch .*, resumed with torch .*: the last bits may differ$"
    assert re.search(line, moved.stderr, re.MULTILINE)


def test_data_that_do_not_fit_stay_on_the_host() -> None:
    rows = 2 * torch.cuda.mem_get_info(GPU)[0]
    samples, targets = torch.zeros(1, 1).expand(rows, 1), torch.zeros(1, dtype=torch.int64).expand(rows)
    assert not fits(samples.nbytes + targets.nbytes, GPU)
    loader = BatchLoader(samples, targets, 4).to(GPU)
    batch = next(iter(loader))
    assert loader.samples.device.type == "cpu"
    assert (batch.samples.device, batch.targets.device) == (GPU, GPU)
    assert fits(10**6, GPU)
    assert BatchLoader(torch.zeros(8, 1), torch.zeros(8), 4).to(GPU).samples.device == GPU
