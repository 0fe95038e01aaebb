import doctest
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import script
from tests.gpu.commands import command_line


def test_the_first_lesson_is_an_interactive_session(tmp_path):
    lesson = script("tensors", cwd=tmp_path)
    assert (lesson.returncode, lesson.stderr) == (0, "")
    examples = doctest.DocTestParser().get_doctest(lesson.stdout, {}, "tensors", None, None)
    assert doctest.DocTestRunner().run(examples) == (0, lesson.stdout.count(">>> "))
    values = {example.source.strip(): example.want.strip() for example in examples.examples if example.want}
    assert values["a + b"] == "tensor([11., 22., 33.])"
    assert values["a"].startswith("tensor([[ 1.5410,")
    assert values["b"].startswith("tensor([[-0.4033,")
    assert values["(a[0] * b[:, 0]).sum()"] == "tensor(-0.6375)"
    assert values["torch.isclose((a @ b)[0, 0], (a[0] * b[:, 0]).sum())"] == "tensor(True)"
    assert lesson.stdout.count(">>> array[0] = 7\n>>> tensor\ntensor([7., 0., 0.])\n") == 1
    assert values["x.grad"] == values["(2 * x * torch.sin(x) + x**2 * torch.cos(x)).detach()"] == "tensor(3.1516)"
    assert values["by_hand"] == values["by_sgd"] == "tensor([ 0.8000, -1.6000], requires_grad=True)"
    assert values["torch.equal(by_hand, by_sgd)"] == "True"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device on this system")
def test_output_that_can_not_be_written_ends_in_one_line(tmp_path):
    flags = ["fit", "--task", "xor", "--max_epochs", "1", "--accelerator", "cpu"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command_line(*flags), cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.stderr == "fit.py: can't write what is printed (No space left on device)\n"
    assert ended.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device on this system")
@pytest.mark.parametrize(
    "flags",
    [
        ["fit", "--help"],
        ["predict", "--ckpt", "xor.ckpt", "--help"],
        ["predict", "--ckpt", "xor.ckpt", "0,1"],
        ["test", "--ckpt", "xor.ckpt"],
        ["tensors"],
    ],
    ids=" ".join,
)
def test_so_do_help_answers_and_lessons(flags, trained, tmp_path):
    shutil.copy(trained("xor").best, tmp_path / "xor.ckpt")
    ended = script(*flags, cwd=tmp_path, output=Path("/dev/full"))
    assert ended.stderr == f"{flags[0]}.py: can't write what is printed (No space left on device)\n"
    assert ended.returncode == 1
