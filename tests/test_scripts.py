import re

from tests.conftest import ROOT, script


def block(marker):
    """The fenced block behind a marker in the README."""
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_readme_s_new_task_is_fitted_by_the_command(tmp_path):
    (tmp_path / "circle.py").write_text(block("task"))
    fitted = script("fit", "--task", "circle.py:Circle", "--accelerator", "cpu", cwd=tmp_path)
    assert (fitted.returncode, fitted.stderr) == (0, "")
    accuracy = re.search(r"^test/accuracy +(\S+)$", fitted.stdout, re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.98
    assert (tmp_path / "lightning_logs" / "circle" / "version_0" / "results.json").is_file()


def test_the_first_lesson(tmp_path):
    lesson = script("tensors", cwd=tmp_path)
    assert (lesson.returncode, lesson.stderr) == (0, "")
    shown = dict(re.findall(r">>> (.+)\n(.+)", lesson.stdout))
    assert shown["a + b"] == "tensor([11., 22., 33.])"
    assert shown["a * b"] == "tensor([10., 40., 90.])"
    assert shown["tensor, after array[0] = 7"] == "tensor([7., 0., 0.])"
    assert shown["x.grad, by autograd"] == shown["dy/dx, by hand"] == "tensor(3.1516)"
    assert shown["by hand"] == shown["by torch.optim.SGD"] == "tensor([ 0.8000, -1.6000])"
    assert shown["equal"] == "True"
