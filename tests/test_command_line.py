import pytest
import torch
import yaml

from litmlp import TASKS, UsageError
from litmlp.settings.command_line import read_command
from litmlp.settings.parser import make_parser


@pytest.mark.parametrize("task", TASKS)
def test_the_task_s_recommended_settings_are_the_defaults(monkeypatch, task):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    command = read_command(["--task", task, "--accelerator", "cpu"])
    for name, value in TASKS[task].recommended.items():
        assert getattr(command.settings, name) == value


def test_flags_overrule_the_config_and_that_the_recommendation(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("task: log\nlr: 0.5\nhidden: [3]\n")
    settings = read_command(["--config", str(config), "--lr", "0.25"]).settings
    assert (settings.task, settings.lr, settings.hidden, settings.activation) == ("log", 0.25, [3], "tanh")


def test_the_trainer_s_flags_need_no_declaration():
    flags = ["--devices", "2", "--precision", "bf16-mixed", "--gradient_clip_val", "0.5", "--max_epochs", "7"]
    settings = read_command(flags).settings
    assert (settings.devices, settings.precision, settings.max_epochs) == ("2", "bf16-mixed", 7)
    assert settings.gradient_clip_val == 0.5


def test_print_config_prints_what_config_reads(tmp_path, capsys):
    flags = ["--task", "log", "--hidden", "[7]", "--max_epochs", "3"]
    with pytest.raises(SystemExit) as end:
        read_command([*flags, "--print_config"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed)["hidden"] == [7]
    (tmp_path / "printed.yaml").write_text(printed)
    assert read_command(["--config", str(tmp_path / "printed.yaml")]).text == read_command(flags).text


def help_text(capsys, *flags):
    with pytest.raises(SystemExit) as end:
        read_command(list(flags))
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_explains_our_flags_and_names_where_the_trainers_are(capsys):
    parser = make_parser("digits", TASKS["digits"])
    assert [action.dest for action in parser._actions if not action.help] == []
    text = help_text(capsys, "--help")
    assert len(text.splitlines()) < 140
    assert "--callbacks" not in text.partition("The Trainer's flags")[0]
    assert "\b" not in text
    assert " ".join(text.split()).endswith(
        "The Trainer's flags, among them --max_epochs, --accelerator, --devices, --precision and --callbacks:"
        " --help trainer"
    )
    for words in (
        "usage: fit.py [--task TASK] [--FLAG VALUE ...]",
        "--task TASK what to learn: digits, xor, log, log_value, mnist, fashion_mnist, kmnist",
        "probability with which training drops a hidden activation, from 0 to below 1. (type: float, default: 0.2)",
        "samples in a training step, on each process. (type: int, default: 64)",
    ):
        assert words in " ".join(text.split())


def test_help_of_the_trainer_explains_its_flags_alone(capsys):
    text = " ".join(help_text(capsys, "--help", "trainer").split())
    assert "Stop training once this number of epochs is reached." in text
    assert "--callbacks CALLBACKS" in text
    assert "--hidden" not in text


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        ("--callbacks.help=LambdaCallback --max_epochs 3", "--callbacks.on_fit_start"),
        ("--callbacks.help Timer --max_epochs 3 --hidden [4]", "--callbacks.duration"),
        ("--augment.help --dropout 1", "--augment.rotation"),
        ("--augment.help Timer --plugins.help Callback", "--augment.rotation"),
        ("--callbacks.help=Timer --logger.help=CSVLogger", "--callbacks.duration"),
    ],
)
def test_help_of_a_class_is_shown_whatever_else_is_said(flags, shown, capsys):
    assert shown in help_text(capsys, *flags.split())


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            "--task mnst",
            "--task mnst: there is no such task; did you mean mnist? (one of your own: my_tasks.py:MyTask)",
        ),
        ("--hiden [3]", "there is no flag --hiden; did you mean --hidden?"),
        ("--lr fast", "--lr fast: must be a number"),
        ("--hidden 32", "--hidden 32: must be a list like '[512,256]'"),
        ("--optimizer lion", "--optimizer lion: must be one of ['adam', 'adamw', 'sgd']"),
        ("--max_epochs none", "--max_epochs none: must be a whole number"),
        ("--max_epochs 0", "--max_epochs 0: must be at least 1, or -1 to train until it is stopped"),
        ("--run a/b", "--run a/b: a run's name is made of letters, digits and _ . + = -"),
        ("--run a --resume last", "--run a --resume last: one of them says which run it is; drop the other"),
    ],
)  # fmt: skip
def test_a_wrong_flag_is_named_in_one_line(flags, line):
    with pytest.raises(UsageError) as error:
        read_command(flags.split())
    assert str(error.value) == line


@pytest.mark.parametrize(
    ("capabilities", "flags", "precision"),
    [
        ({"avx512_bf16": True}, ["--accelerator", "cpu"], "bf16-mixed"),
        ({"amx_bf16": True}, ["--accelerator", "cpu"], "bf16-mixed"),
        ({"avx512_bf16": False}, ["--accelerator", "cpu"], None),
        ({"avx512_bf16": True}, ["--accelerator", "gpu"], None),
        ({"avx512_bf16": True}, ["--accelerator", "cpu", "--precision", "32-true"], "32-true"),
    ],
)
def test_bfloat16_is_the_default_where_the_cpu_has_it(monkeypatch, capabilities, flags, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert read_command(["--task", "mnist", *flags]).settings.precision == precision
    assert read_command(["--task", "digits", "--accelerator", "cpu"]).settings.precision is None
