import doctest

from tests.conftest import script


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
