import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from litmlp import MLP, TASKS, UsageError
from tests.conftest import curves


def test_a_run_leaves_what_it_promises(run_fit, capsys):
    run = run_fit("--max_epochs", "3")

    printed = capsys.readouterr().out.splitlines()
    assert printed[:4] == [
        "device           cpu, precision 32-true",
        "threads          1",
        "samples          1,258 to train on, 180 to validate on; those of the test are read at the end",
        "parameters       50,826",
    ]
    assert [line.split("  ")[0] for line in printed[4:7]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    results = json.loads(run.results.read_text())
    assert printed[7:] == [
        f"test/loss       {results['test']['loss']:#.4g}",
        f"test/accuracy   {results['test']['accuracy']:#.4g}",
        f"3 epochs, 60 steps, {results['seconds']:.1f} s of training",
        f"last weights     sha256 {results['weights_sha256'][:16]}",
        f"best checkpoint  {run.best}",
        f"curves           tensorboard --logdir {run.folder.parent.parent}",
    ]
    assert results.items() >= {"task": "digits", "epochs": 3, "steps": 60, "best_checkpoint": str(run.best)}.items()

    shown = curves(run)
    ends = [19, 39, 59]  # the last step of each epoch of 20
    for tag in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        assert [step for step, _ in shown[tag]] == ends
    assert [step for step, _ in shown["learning_rate"]] == [0, 50]
    assert [step for step, _ in shown["test/accuracy"]] == [60]
    assert shown["test/accuracy"][0][1] == pytest.approx(results["test"]["accuracy"])

    best = torch.load(run.best, weights_only=True)
    assert best["global_step"] == min(shown["val/loss"], key=lambda point: point[1])[0] + 1
    model = MLP.load_from_checkpoint(run.best)
    assert not model.training
    samples, targets = TASKS["digits"]().split("test")
    assert float((model(samples).argmax(1) == targets).float().mean()) == pytest.approx(results["test"]["accuracy"])
    assert torch.load(run.last, weights_only=True)["global_step"] == 60


def test_tensorboard_has_the_graph_and_the_hyperparameters(run_fit):
    run = run_fit("--max_epochs", "1", "--lr", "0.004")
    events = EventAccumulator(str(run.folder)).Reload()
    nodes = {node.op for node in events.Graph().node}
    assert {"aten::linear", "aten::relu"} <= nodes
    contents = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    parameters = HParamsPluginData.FromString(contents).session_start_info.hparams
    assert parameters["lr"].number_value == 0.004
    assert {"optimizer", "dropout", "seed"} <= set(parameters)
    assert parameters["hidden"].string_value == "[256, 128]"
    assert "_hparams_/session_end_info" in events.PluginTagToContent("hparams")
    contents = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
    columns = [column.name for column in HParamsPluginData.FromString(contents).experiment.hparam_infos]
    assert columns[:5] == ["hidden", "lr", "batch_size", "max_epochs", "seed"]


def test_on_a_terminal_each_epochs_line_stays_above_the_bar(run_fit, monkeypatch):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 200, 0, 0))
    with ThreadPoolExecutor() as pool, os.fdopen(ours, "rb", buffering=0) as screen:
        sent = pool.submit(lambda: b"".join(iter(partial(until_closed, screen), b"")).decode())
        with os.fdopen(theirs, "w") as terminal:
            monkeypatch.setattr(sys, "stdout", terminal)
            run_fit("--max_epochs", "3", "--hidden", "[8]", name="named")
        lines = shown(sent.result())
    assert [line.split("  ")[0] for line in lines[4:7]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert re.fullmatch(r"Epoch 2: 100%\|█+\| 20/20 \[.*, val/loss=.*\]", lines[7])
    assert "v_num" not in sent.result()


def until_closed(screen):
    """What a terminal shows next; nothing when all programs have closed it, which Linux calls an error."""
    try:
        return screen.read(4096)
    except OSError:
        return b""


def shown(sent):
    """The lines that stay on a terminal."""
    lines, row = [""], 0
    for part in re.split(r"(\r\n|\n|\r|\x1b\[A)", sent):
        if part == "\x1b[A":
            row -= 1
        elif part.endswith("\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif part and part != "\r":
            lines[row] = part + lines[row][len(part) :]
    return [line.rstrip() for line in lines]


def test_a_quick_pass_through_the_code_leaves_nothing(run_fit, capsys, tmp_path):
    run_fit("--fast_dev_run", "true")
    assert re.match(r"epoch 1/1  val/loss \d", capsys.readouterr().out)
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_curves_no_command_shows_them(run_fit, capsys):
    run = run_fit("--max_epochs", "1", "--logger", "false")
    assert capsys.readouterr().out.splitlines()[-1] == f"best checkpoint  {run.best}"


def test_the_config_of_a_run_repeats_it_bit_for_bit(run_fit):
    first = run_fit("--max_epochs", "2", "--hidden", "[16]", "--dropout", "0.4", "--seed", "7")
    second = run_fit("--config", str(first.config), name="again")
    third = run_fit("--config", str(first.config), "--seed", "8", name="other")
    digests = [json.loads(run.results.read_text())["weights_sha256"] for run in (first, second, third)]
    assert digests[0] == digests[1] != digests[2]
    settings = yaml.safe_load(first.config.read_text())
    assert (settings["hidden"], settings["seed"], settings["batch_size"]) == ([16], 7, 64)


def test_a_resumed_run_ends_as_one_that_wasn_t_interrupted(run_fit):
    flags = ("--schedule", "constant", "--dropout", "0.5")
    whole = run_fit(*flags, "--max_epochs", "4", name="whole")
    run_fit(*flags, "--max_epochs", "2", name="parts")
    parts = run_fit("--max_epochs", "4", name="parts")  # the other flags come from the run
    assert (
        json.loads(parts.results.read_text())["weights_sha256"]
        == json.loads(whole.results.read_text())["weights_sha256"]
    )
    for tag, points in curves(whole).items():
        if not tag.startswith(("test/", "_hparams_")):
            assert curves(parts)[tag] == points, tag


def test_a_complete_run_is_shown_and_left_alone(run_fit, capsys):
    run = run_fit("--max_epochs", "1")
    report = capsys.readouterr().out.splitlines()[5:]
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    run_fit("--max_epochs", "1")
    assert capsys.readouterr().out.splitlines() == [f"{run.folder} is complete", *report]
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_a_flag_that_contradicts_the_run_is_named(run_fit):
    run = run_fit("--max_epochs", "1")
    with pytest.raises(UsageError) as error:
        run_fit("--hidden", "[3]")
    assert str(error.value) == (
        f"--hidden [3] contradicts the run {run.folder}, made with --hidden [256, 128]:"
        " leave the flag out, or start another run"
    )


def test_early_stopping_is_one_of_the_trainer_s_own_flags(run_fit):
    flags = ["--callbacks+=EarlyStopping", "--callbacks.monitor=val/loss", "--callbacks.patience=1", "--lr", "0.05"]
    run = run_fit(*flags, "--schedule", "constant", "--max_epochs", "40")
    losses = [value for _, value in curves(run)["val/loss"]]
    assert len(losses) < 40
    assert losses[-1] >= min(losses[:-1])
    assert sorted(losses[:-1], reverse=True) == losses[:-1]


@pytest.mark.parametrize(
    ("task", "name", "least"), [("digits", "accuracy", 0.97), ("log", "accuracy", 0.995), ("log_value", "r2", 0.999)]
)
def test_the_tasks_reach_their_metrics(run_fit, task, name, least):
    run = run_fit(task=task)
    assert json.loads(run.results.read_text())["test"][name] >= least


def test_the_final_test_is_in_full_precision_whatever_training_is_in(run_fit):
    run = run_fit("--max_epochs", "2", "--precision", "bf16-mixed")
    samples, targets = TASKS["digits"]().split("test")
    with torch.no_grad():
        logits = MLP.load_from_checkpoint(run.best)(samples)
    loss = float(torch.nn.functional.cross_entropy(logits, targets))
    assert json.loads(run.results.read_text())["test"]["loss"] == pytest.approx(loss, rel=1e-6)


def test_xor_shows_its_truth_table(run_fit, capsys):
    run_fit(task="xor")
    assert capsys.readouterr().out.endswith(
        "x y  x^y  predicted\n0 0   0    0\n0 1   1    1\n1 0   1    1\n1 1   0    0\n"
    )
