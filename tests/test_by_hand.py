import json
import re

import pytest
import torch

from litmlp import UsageError
from litmlp.commands import by_hand


def weights_by_hand(capsys, *flags):
    capsys.readouterr()
    by_hand.main([*flags, "--accelerator", "cpu"])
    found = re.search(r"last weights +sha256 (\w{16})", capsys.readouterr().out)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("xor", ""),
        ("log", ""),
        ("log_value", "--max_epochs 2 --optimizer sgd --weight_decay 0.001"),
        ("digits", "--max_epochs 3 --batch_norm true --label_smoothing 0.1 --optimizer adamw"),
        ("digits", "--max_epochs 2 --conv [6] --schedule cosine --precision bf16-mixed"),
        ("digits", "--max_epochs 2 --augment.rotation 10 --augment.elastic 0.5 --augment.erase 0.3"),
    ],
)
def test_the_plain_loop_ends_with_the_same_weights(run_fit, capsys, task, flags):
    run = run_fit(*flags.split(), task=task)
    digest = json.loads(run.results.read_text())["weights_sha256"]
    assert weights_by_hand(capsys, "--task", task, *flags.split()) == digest[:16]


def test_and_so_it_does_on_two_epochs_of_mnist(run_fit, capsys, real_data):
    flags = ["--max_epochs", "2", "--data_dir", str(real_data)]
    run = run_fit(*flags, task="mnist")
    results = json.loads(run.results.read_text())
    assert results["test"]["accuracy"] > 0.97
    assert weights_by_hand(capsys, "--task", "mnist", *flags) == results["weights_sha256"][:16]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ("--gradient_clip_val 1", "--gradient_clip_val 1.0: this loop leaves it to fit.py"),
        ("--precision 64-true", "--precision 64-true: this loop knows 32-true and bf16-mixed only"),
        ("--accelerator gpu", "--accelerator gpu: "),
        ("--accelerator tpu", "--accelerator tpu: "),
        ("--accelerator cpu --devices 2", "--devices 2: this loop runs on one device; give --devices 1"),
        ("--max_epochs -1", "--max_epochs -1: this loop needs an end"),
        ("--run here", "--run and --resume are fit.py's: this loop keeps nothing to resume from"),
    ],
)
def test_flags_that_it_does_not_support(flags, line, capsys):
    if "gpu" in flags and torch.accelerator.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UsageError) as error:
        by_hand.main(flags.split())
    assert str(error.value).startswith(line)
    assert capsys.readouterr().out == ""
