"""A short, seeded part of ``python -m tests.fuzz``: each kind of input, and nothing but one line for what is wrong."""

import pytest

from tests.fuzz.__main__ import main


@pytest.mark.slow
def test_no_input_ends_in_a_traceback_a_hang_or_a_leftover(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--seed", "1", "--count", "flags=40,files=30,checkpoints=40,images=30,requests=100"])
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert printed.count(" 0 failures (0 distinct)") == 5
