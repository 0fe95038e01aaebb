"""Follows a page of the documentation: writes its files, runs its blocks, and compares what they print."""

import os
import re
import shlex
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.warm import run_python

BLOCK = re.compile(r"^(?:<!-- file: (\S+) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROUNDING = {"%": 2.0, "": 0.02}  # another CPU rounds otherwise, so metrics differ a little
PORT = "127.0.0.1:8000"


class Block(NamedTuple):
    """A fenced block, and the file that the page says it is."""

    file: str
    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands_in(block: str) -> Iterator[list[str]]:
    """The words of each command of an sh block, which has only what PowerShell has as well, and continued lines."""
    pending = ""
    for line in block.replace("\\\n", " ").splitlines(keepends=True):
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # within quotes, which the next line closes
            continue
        pending = ""
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            assert not {"|", ">", "<", ";", "&"}.intersection(words[:end]), line
            yield words[:end]
            words = words[end + 1 :]
    assert not pending.strip()


def interpret(pipe: Connection, folder: str) -> None:
    """Run one Python block after the other, like the cells of a notebook; answers what it prints, and its error."""
    os.chdir(folder)
    namespace = {"__name__": "__main__"}
    while True:
        block, error = pipe.recv(), ""
        with redirect_stdout(StringIO()) as printed:
            try:
                exec(block, namespace)
            except Exception:
                error = traceback.format_exc()
        pipe.send((printed.getvalue(), error))


class Page:
    """Follows one page.

    Args:
        folder: a copy of the repository, where it runs.
        context: starts processes.
        skipped: whether a command, as one line, isn't run here.
    """

    def __init__(self, folder: Path, context: ForkServerContext, skipped: Callable[[str], bool]) -> None:
        self.folder = folder
        self.context = context
        self.skipped = skipped
        self.pipe, end = context.Pipe()
        self.interpreter = context.Process(target=interpret, args=(end, str(folder)), daemon=True)
        self.interpreter.start()
        self.servers: list[ForkServerProcess] = []
        self.port = PORT  # in place of that one
        self.digests: dict[str, str] = {}  # those that it prints, by those that the page shows
        self.before = Block("", "", "")

    def follow(self, page: Path) -> None:
        """Run the page's blocks."""
        printed, code = "", 0
        for block in blocks_of(page):
            assert code == 0 or block.language == "text", printed
            if block.file:
                (self.folder / block.file).write_text(block.text, encoding="utf-8")
            if block.language == "text":
                self.compare(block.text, printed)
                code = 0
            elif block.language == "sh":
                for words in commands_in(block.text):
                    assert code == 0, printed
                    printed, code = self.run(words)
            elif block.language == "python":
                self.pipe.send(block.text.replace(PORT, self.port))
                printed, error = self.pipe.recv()
                assert error == ""
            elif block.language == "powershell":
                assert block.text == in_powershell(self.before.text)
            elif block.language == "yaml":
                assert isinstance(yaml.safe_load(block.text), dict)
            else:
                assert block.language == "mermaid"
            self.before = block
        assert code == 0, printed

    def run(self, words: list[str]) -> tuple[str, int]:
        """Run a command: what it prints, and its exit code."""
        line, program = shlex.join(words), words[0].removeprefix(".venv/bin/")
        if self.skipped(line) or words[1:3] == ["-m", "venv"]:
            return "", 0
        if program == "python":
            return self.serve(words[1:]) if words[1] == "scripts/serve.py" else self.run_python(words[1:])
        if program == "litmlp":
            return self.run_python(["-m", "litmlp", *words[1:]])
        if program == "curl":
            words = [word.replace(PORT, self.port) for word in words]
            ended = subprocess.run([*words, "-sSf"], cwd=self.folder, capture_output=True, text=True, check=False)
            return ended.stdout + ended.stderr, ended.returncode
        if program == "pip":
            assert words[1] == "install"
            assert set(words[2::2]) == {"-r"}
        else:
            assert words[:2] == ["tensorboard", "--logdir"]
        assert all((self.folder / name).exists() for name in words[-1:2:-2]), line
        return "", 0

    def start(self, arguments: list[str]) -> tuple[ForkServerProcess, Path]:
        """Start ``python …``, which prints into a pipe of that name."""
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        os.mkfifo(output)
        process = self.context.Process(target=run_python, args=(arguments, str(self.folder), str(output)))
        process.start()
        return process, output

    def run_python(self, arguments: list[str]) -> tuple[str, int]:
        """Run ``python …`` to its end."""
        process, output = self.start(arguments)
        printed = output.read_text(encoding="utf-8")
        process.join()
        assert process.exitcode is not None
        return printed, process.exitcode

    def serve(self, arguments: list[str]) -> tuple[str, int]:
        """Start a server on a free port, to stop it at the end: its first line."""
        process, output = self.start([*arguments, "--port", "0"])
        self.servers.append(process)
        with output.open(encoding="utf-8") as lines:
            line = lines.readline()
        found = re.search(r"127\.0\.0\.1:\d+", line)
        assert found is not None, line
        self.port = found[0]
        return line.replace(self.port, PORT), 0

    def compare(self, shown: str, printed: str) -> None:
        """Check that a block shows what is printed.

        ``…`` stands for anything, alone on a line for any lines; a time for any, a digest for one that is the same
        wherever the page shows it, and other decimal numbers for about the same.
        """
        parts = re.split(r"(^…\n|…|\b[0-9a-f]{16}\b|\d+\.\d+)", shown, flags=re.MULTILINE)
        wild = {"…\n": r"((?:.*\n)*?)", "…": "(.*?)"}
        pattern = "".join(
            (wild.get(part) or (r"(\d+\.\d+)" if "." in part else "([0-9a-f]{16})")) if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        )
        found = re.fullmatch(pattern, printed)
        assert found is not None, f"shown:\n{shown}\nprinted:\n{printed}"
        for part, value, after in zip(parts[1::2], found.groups(), parts[2::2], strict=True):
            if "." in part and not after.startswith(" s"):
                assert abs(float(part) - float(value)) <= ROUNDING["%" if after.startswith("%") else ""], printed
            elif len(part) == 16:
                assert self.digests.setdefault(part, value) == value, printed

    def stop(self) -> None:
        """End the processes that still run; a server ends by itself at the signal."""
        self.interpreter.kill()
        for server in self.servers:
            server.terminate()
            server.join()
            assert server.exitcode == 143


def in_powershell(block: str) -> str:
    """The commands of an sh block as PowerShell takes them."""
    lines = block.replace(" && ", "\n").replace("python3 -m venv", "py -m venv")
    return lines.replace(".venv/bin/", ".venv\\Scripts\\")
